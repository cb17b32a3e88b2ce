"""Python imports this at its start where the folder is on PYTHONPATH: whatever looks for another machine is refused."""

import os
import sys
from typing import Any

LOOK_UPS = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}


def _refuse(event: str, given: tuple[Any, ...]) -> None:
    if event in LOOK_UPS or (event == "socket.connect" and isinstance(given[1], tuple)):  # a text is a socket on this machine
        with open(os.environ["KDBENCH_TEST_CONNECTIONS"], "a", encoding="utf-8") as file:
            file.write(f"{event} {given[0 if event in LOOK_UPS else 1]}\n")
        raise OSError(f"{event}: there is no network in this test")


sys.addaudithook(_refuse)
