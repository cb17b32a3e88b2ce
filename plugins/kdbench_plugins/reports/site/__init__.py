"""A leaderboard as a folder of web pages that needs neither a server nor a network."""

from kdbench.reports.site.method import Method
from kdbench.reports.site.write import Written, write_site

__all__ = ["Method", "Written", "write_site"]
