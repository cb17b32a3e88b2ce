"""First-party trackers."""
