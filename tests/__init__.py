"""Tests mirror the rooms: kdbench/a/b.py is tested in tests/a/test_b.py.

Several processes run tests at a time, as many as there are cores: each computes with one thread, as do those that it begins.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
