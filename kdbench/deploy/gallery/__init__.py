"""What runs retrieve, for a person to look at: the test split in words and pictures, and models' outputs on it."""
