"""`python -m kdbench.deploy.profile`: measures one student. Reads a `Request` as JSON from stdin, writes an `Answer`."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kdbench.deploy.profile.own_process import Answer, Request

if TYPE_CHECKING:
    from torch import nn


def main() -> None:
    """Reserves stdout for the answer: output of libraries goes to stderr."""
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    request = Request.model_validate_json(sys.stdin.read())
    with out:
        out.write(answer(request).model_dump_json())


def answer(request: Request) -> Answer:
    """The student's profile, with its memory if nothing else has run in this process."""
    import torch

    torch.set_num_threads(request.threads)
    from kdbench.deploy.profile.process_memory import resident

    baseline = resident()
    from kdbench.deploy.profile.inference import at_inference
    from kdbench.deploy.profile.memory import peak_memory
    from kdbench.errors import KdbenchError, Skip
    from kdbench.plugins.building import build_spec

    try:
        torch.manual_seed(0)
        task = build_spec("task", request.task)
        count = max(1, *request.batch_sizes)
        # Releases the student itself: parts that serve only training must not count as memory at inference.
        inference = at_inference(build_spec("student", request.student), task, request.samples, count)
        gc.collect()
        memory = peak_memory(inference, request.device, baseline)
        trained = request.weights is not None and _load(inference.module, request.weights)

        # Imported only now: measuring needs modules that inference does not.
        from kdbench.deploy.profile.measure import profile_of

        profile = profile_of(
            inference,
            request.gallery,
            request.device,
            batch_sizes=request.batch_sizes,
            threads=request.threads,
            seconds=request.seconds,
            memory=memory,
            trained=trained,
        )
    except (KdbenchError, Skip) as error:
        return Answer(reason=str(error))
    return Answer(profile=profile)


def _load(module: nn.Module, weights: Path) -> bool:
    """Loads weights from the cache; false if they do not fit the student as its plugin builds it now."""
    from safetensors.torch import load_file

    try:
        module.load_state_dict(load_file(weights))
    except RuntimeError:
        return False
    return True


if __name__ == "__main__":
    main()
