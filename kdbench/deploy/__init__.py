"""Trained students: evaluation, export, and profiles of their costs."""
