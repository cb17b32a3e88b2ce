"""Records checked before anyone relies on them.

`kdbench.runs.rerun`, which trains a run again, is imported on its own: all the rest does without torch.
"""

from kdbench.records.problem import Problem
from kdbench.records.verify.examine import Examined, examined, usable, verify

__all__ = ["Examined", "Problem", "examined", "usable", "verify"]
