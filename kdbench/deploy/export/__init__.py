"""What all export formats share: loading a trained student, a folder written whole, parity, model card, metadata."""
