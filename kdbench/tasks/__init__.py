"""What is particular to a task: batches, outputs, losses, metrics."""
