"""Attributions: how the gain of a team is divided among its teachers."""
