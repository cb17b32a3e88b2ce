"""RunSpec to Record: `execute` is the spine, read it first."""
