"""A leaderboard as a folder of web pages that need neither a server nor a network."""

from __future__ import annotations

from kdbench.contracts import Offer
from kdbench.contracts.hookspecs import hookimpl
from kdbench.contracts.report import Report


def site() -> Report:
    """Writes a folder of HTML pages: open `index.html`."""
    from kdbench_plugins.reports.site.site_pages import Site

    return Site()


@hookimpl
def kdbench_reports() -> list[Offer[Report]]:
    return [Offer("site", site, "a web site without a server: tables, plots, a page for each run, strategy and study")]
