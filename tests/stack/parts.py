"""Programs from outside that the stack is tried with; what to do when one is not on this machine."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Callable

import pytest


def program(name: str, package: str) -> str:
    """Its path. Skips the test when it is not installed, or fails it with CLOUDBURST_REQUIRE_PARTS=1."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is not None:
        return found
    sentence = f"{name} is not on this machine; on Debian: apt-get install {package}"
    if os.environ.get("CLOUDBURST_REQUIRE_PARTS") == "1":
        pytest.fail(sentence)
    pytest.skip(sentence)


def free_port(address: str = "127.0.0.1", kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as tried:
        tried.bind((address, 0))
        return int(tried.getsockname()[1])


def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Processes give no event: look, and look again."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"still not so after {seconds} s"
        time.sleep(0.02)


def listens(port: int, address: str = "127.0.0.1") -> bool:
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True
