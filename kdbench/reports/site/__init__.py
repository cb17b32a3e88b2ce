"""A leaderboard as a folder of web pages that needs neither a server nor a network."""

from kdbench.leaderboard.site.method import Method
from kdbench.leaderboard.site.write import Written, write_site

__all__ = ["Method", "Written", "write_site"]
