"""What lies on disk: cache, checkpoints, memory maps, archives."""
