"""Checks records before they are used or published.

`kdbench.runs.rerun`, which trains a run again, is imported separately: everything here works without torch.
"""

from kdbench.records.problem import Problem
from kdbench.records.verify.examine import Examined, examined, usable, verify

__all__ = ["Examined", "Problem", "examined", "usable", "verify"]
