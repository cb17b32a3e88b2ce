"""From a RunSpec to a Record. Read `execute.py` first."""
