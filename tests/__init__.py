"""Tests mirror the rooms: kdbench/a/b.py is tested in tests/a/test_b.py."""
