"""Records for others: bundled with their checksums, and checked before anyone relies on them.

`kdbench.publish.rerun`, which trains a run again, is imported on its own: all the rest does without torch.
"""

from kdbench.publish.problem import Problem
from kdbench.publish.submit import Submitted, submit
from kdbench.publish.verify import Examined, examined, usable, verify

__all__ = ["Examined", "Problem", "Submitted", "examined", "submit", "usable", "verify"]
