"""Export of trained students, independent of the format: loading, atomic folders, parity checks, model card, metadata."""
