"""First-party reports: what `kdbench leaderboard` can write from records."""
