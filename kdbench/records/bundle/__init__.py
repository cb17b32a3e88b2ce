"""Records for others, packed with their checksums."""
