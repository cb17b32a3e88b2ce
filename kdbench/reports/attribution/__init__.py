"""What each teacher of a team is worth to it, from runs of all sub-teams."""

from kdbench.reports.attribution.attribute import attribute
from kdbench.reports.attribution.of_suite import Finding, few, findings, records_of, to_do
from kdbench.reports.attribution.worth import TeamAttribution, Worth

__all__ = ["Finding", "TeamAttribution", "Worth", "attribute", "few", "findings", "records_of", "to_do"]
