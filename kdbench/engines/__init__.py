"""Execution of runs and studies: sessions, the work they pass to engines, and the workers that execute it."""
