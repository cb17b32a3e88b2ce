"""The training loop, used for all runs."""
