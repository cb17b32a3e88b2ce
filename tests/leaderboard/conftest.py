"""Puts this folder on the path for the folders in it: they share `made_boards`."""
