"""Trained students: evaluation, export, profiles of their costs, and galleries of what they find."""
