"""A dataset as runs see it: decoding, encoding, streaming."""
