"""The machine's programs, run and waited for."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENVIRONMENT: Mapping[str, str] = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8"}
"""What a command inside a host sees: nothing of the tests' environment, above all no DOCKER_HOST."""


class LabError(RuntimeError):
    """A command of the lab went wrong; the text has the command and what it said."""


def run(
    *argv: str | Path,
    stdin: str | None = None,
    seconds: float | None = 600,
    env: Mapping[str, str] | None = None,
) -> str:
    """What a command says on stdout. Raises LabError when it fails or takes longer than `seconds`."""
    command = [str(part) for part in argv]
    try:
        done = subprocess.run(
            command, input=stdin, text=True, capture_output=True, timeout=seconds, check=False, env=env
        )
    except subprocess.TimeoutExpired as error:
        raise LabError(f"no end after {seconds:g} s: {' '.join(command)}") from error
    if done.returncode:
        said = (done.stdout + done.stderr).strip()
        raise LabError(f"{' '.join(command)}: exit code {done.returncode}\n{said}")
    return done.stdout


def succeeds(*argv: str | Path) -> bool:
    """Does this command end with exit code 0?"""
    done = subprocess.run([str(part) for part in argv], capture_output=True, check=False)
    return done.returncode == 0


def until(condition: Callable[[], object], what: str, seconds: float = 60, pause: float = 0.05) -> None:
    """Returns once the condition holds. Raises LabError, naming `what`, when it does not in `seconds`.

    It is looked at every `pause` seconds.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"{what}: not so after {seconds:g} s")
        time.sleep(pause)


def alive(pid: int, mark: str) -> bool:
    """Does this process run, and does its command line say `mark`? A pid alone may be another's by now."""
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return os.fsencode(mark) in line
