"""Bundles: records and their files in one zip file, with checksums."""
