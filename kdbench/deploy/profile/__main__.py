"""`python -m kdbench.deploy.profile`: measures one student. A request comes in as JSON on stdin, a profile goes out."""

from __future__ import annotations

import gc
import json
import os
import sys
from typing import Any

from pydantic import BaseModel, ConfigDict


class Request(BaseModel):
    """What is to be measured, where and how."""

    model_config = ConfigDict(extra="forbid")

    student: dict[str, Any]  # `use` and `params`
    gallery: int
    size: int  # pixels of the dataset's images
    captions: list[str]
    device: str
    batches: list[int]
    threads: int
    seconds: float


def main() -> None:
    """Answers with `{"profile": …}`, or with `{"reason": …}` where the student or the request is wrong."""
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print must not get into the answer
    request = Request.model_validate_json(sys.stdin.read())
    with out:
        json.dump(_answer(request), out)


def _answer(request: Request) -> dict[str, Any]:
    import torch

    torch.set_num_threads(request.threads)
    from kdbench.deploy.profile.resident import resident

    baseline = resident()
    from kdbench.deploy.profile.memory import peak_memory
    from kdbench.deploy.profile.subject import Items, subject_of
    from kdbench.errors import KdbenchError, Skip
    from kdbench.plugins.building import build_planned

    try:
        torch.manual_seed(0)
        items = Items(request.size, tuple(request.captions))
        # The student itself is let go: what served the training alone must not be counted as held at inference.
        subject = subject_of(build_planned("student", request.student), items, max(1, *request.batches))
        gc.collect()
        memory = peak_memory(subject, request.device, baseline)

        # Only now: measuring takes modules of its own, which are no part of inference.
        from kdbench.deploy.profile.measure import examine

        profile = examine(
            subject,
            request.gallery,
            request.device,
            batches=request.batches,
            threads=request.threads,
            seconds=request.seconds,
            memory=memory,
        )
    except (KdbenchError, Skip) as error:
        return {"reason": str(error)}
    return {"profile": profile.model_dump(mode="json")}


if __name__ == "__main__":
    main()
