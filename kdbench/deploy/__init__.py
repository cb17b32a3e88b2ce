"""What is left of a student after training, and what it costs."""
