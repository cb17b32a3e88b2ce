"""The one reader and writer of every file under results/."""
