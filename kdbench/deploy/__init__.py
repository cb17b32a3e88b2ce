"""What is left of a student after training: its evaluation, its export, and what it costs."""
