"""Files on disk: cache, checkpoints, memory maps, archives."""
