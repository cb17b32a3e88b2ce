"""First-party objectives."""
