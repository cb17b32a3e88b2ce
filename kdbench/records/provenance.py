"""The code and the machine that a record came from."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kdbench.errors import KdbenchError
from kdbench.storage.installed_version import installed_version

PACKAGES = ("kdbench", "torch", "open_clip_torch", "timm", "numpy")


def versions(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Versions of Python and of the packages a result can depend on; `more` are those of its plugins."""
    found = {package: version for package in PACKAGES if (version := installed_version(package))}
    return {"python": platform.python_version()} | found | dict(more or {})


def source(package: Path | None = None) -> dict[str, Any]:
    """The commit of kdbench's checkout, and whether tracked files differ from it.

    Both are None if kdbench does not run from a checkout. Records under results/, which runs add, do not make it dirty.
    """
    folder = package or Path(__file__).parent
    if _git(folder, "ls-files", "--error-unmatch", "__init__.py") is None:  # installed, perhaps inside another checkout
        return {"commit": None, "dirty": None}
    top = _git(folder, "rev-parse", "--show-toplevel") or str(folder)
    changes = _git(Path(top), "status", "--porcelain", "--untracked-files=no", "--", ".", ":(exclude)results")
    return {"commit": _git(folder, "rev-parse", "HEAD"), "dirty": None if changes is None else bool(changes)}


MACHINE = ("id", "system", "machine", "cpu", "cores")  # of a host: machines of one name may differ in the rest


def machine_of(host: Mapping[str, Any]) -> list[Any]:
    """What tells a recorded host from others, the id first; None for what it does not state."""
    return [host.get(name) for name in MACHINE]


def same_machine(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two hosts agree in everything that both state; two clusters may give one name to machines of other processors."""
    return all(one[name] == other[name] for name in MACHINE if name in one and name in other)


def host() -> dict[str, Any]:
    """The machine, identified by a hash: published records do not contain its name."""
    return {
        "id": hashlib.sha256(platform.node().encode()).hexdigest()[:8],
        "system": platform.system(),
        "machine": platform.machine(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
    }


def checked_device(device: str) -> str:
    """The device as given. Raises KdbenchError if there is no device of such a name."""
    if device in ("auto", "cpu", "cuda", "mps") or (device.startswith("cuda:") and device[5:].isdecimal()):
        return device
    raise KdbenchError(f"device: found {device!r}, expected auto, cpu, cuda, cuda:N or mps")


def resolved_device(device: str) -> str:
    """The device for `auto` on this machine; other devices unchanged. Raises KdbenchError if there is none of such a name.

    Imports torch only where there may be a GPU.
    """
    if checked_device(device) != "auto":
        return device
    if find_spec("torch") and not _may_have_gpu():
        return "cpu"
    try:
        import torch
    except ImportError as error:
        raise KdbenchError(f"torch cannot be imported ({error}); reinstall it with pip install torch") from error
    return "cuda" if torch.cuda.is_available() else "cpu"


def device_name(device: str) -> str:
    """`cpu`, or the name of the GPU."""
    if device.startswith("cuda"):
        import torch

        return str(torch.cuda.get_device_name(device))
    return device


def _may_have_gpu() -> bool:
    """Whether the driver of a GPU is installed: NVIDIA's library or AMD's device. Only on Linux is none a sure answer."""
    if sys.platform != "linux" or Path("/dev/kfd").exists():
        return True
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor()


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
