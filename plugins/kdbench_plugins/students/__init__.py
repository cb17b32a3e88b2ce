"""First-party students."""
