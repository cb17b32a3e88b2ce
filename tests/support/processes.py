"""Commands in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.patience import PATIENCE

SCRIPT = str(Path(sys.executable).with_name("kdbench"))


def process(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a command in a process of its own; further variables of its environment may be given."""
    return subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE, env=os.environ | {"COLUMNS": "150"} | environment
    )
