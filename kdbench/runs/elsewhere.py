"""What training a run again on another machine was seen to change, as a measure for differences found later."""

from __future__ import annotations

from dataclasses import dataclass

from kdbench.contracts import Metric


@dataclass(frozen=True)
class Elsewhere:
    """One measurement: the `share` of test queries with another rank, and how far the metric `headline` moved, in its unit."""

    headline: str
    share: float
    gap: float

    def measure(self, headline: Metric) -> str:
        """In words."""
        return f"{self.share:.2%} of queries, {headline.label} {self.gap:+.{headline.decimals + 1}f}"


# One recorded run of image-text retrieval, trained again by `kdbench verify --rerun` on another processor. A single measurement
# and no bound: another run, or another pair of machines, may honestly differ by more.
ANOTHER_PROCESSOR = Elsewhere(headline="rsum", share=0.8470, gap=-1.28)


def judged(headline: Metric, share: float, gap: float, explained: bool) -> str:
    """How a difference compares: `share` of the queries (0 to 1), `gap` in the headline's shown unit; `explained` says whether
    device, threads, host, versions or plugins differ from those recorded."""
    if not explained:
        return "recorded with the device, threads, host, versions and plugins of now, where results are the same to the bit"
    known = ANOTHER_PROCESSOR
    if headline.name != known.headline:
        return f"how much another machine changes {headline.label} has not been measured"
    than = "no more" if share <= known.share and abs(gap) <= abs(known.gap) else "more"
    return f"{than} than another processor changed when it was measured once ({known.measure(headline)})"
