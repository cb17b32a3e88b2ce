"""Tasks: their batches, outputs, losses and metrics."""
