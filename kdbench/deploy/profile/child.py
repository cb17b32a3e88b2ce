"""Has a student measured in a fresh process: no memory of anybody else's, and no threads that still spin."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from pydantic import ValidationError

from kdbench.records.profile import Profile

TAIL = 2000


class Unmeasured(Exception):
    """A student could not be measured; says why."""


def measured_apart(request: dict[str, Any]) -> Profile:
    """Runs `python -m kdbench.deploy.profile` with the keys of `kdbench.deploy.profile.__main__.Request`. Raises Unmeasured."""
    threads = str(request["threads"])
    done = subprocess.run(
        [sys.executable, "-m", "kdbench.deploy.profile"],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads},
        check=False,
    )
    if done.returncode:
        how = f"exit code {done.returncode}" if done.returncode > 0 else f"signal {-done.returncode}"
        raise Unmeasured(f"the process that measures died ({how})\n{done.stderr[-TAIL:]}".rstrip())
    answer = json.loads(done.stdout)
    if "reason" in answer:
        raise Unmeasured(answer["reason"])
    try:
        return Profile.model_validate(answer["profile"])
    except ValidationError as error:
        raise Unmeasured(f"the process that measures answered with no profile: {error}") from error
