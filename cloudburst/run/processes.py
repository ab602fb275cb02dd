"""Processes of this machine by pid and start mark: is it still the one we started, and ending it.

A pid alone is reused; a pid with the moment it started is not. Nothing here starts anything.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def start_mark(pid: int) -> str | None:
    """What tells this process from a later one with the same pid; None when there is none."""
    if sys.platform == "linux":
        return _linux_mark(pid)
    shown = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return shown or None


def _linux_mark(pid: int) -> str | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text("ascii", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return None
    # The second field is the program's name in parentheses and may hold anything, spaces too.
    fields = text[text.rindex(")") + 2 :].split()
    if fields[0] == "Z":  # ended, only not yet waited for
        return None
    return f"{boot}:{fields[19]}"


def is_running(pid: int, mark: str | None) -> bool:
    return mark is not None and start_mark(pid) == mark


def end(pid: int, mark: str | None, *, grace: float) -> bool:
    """SIGTERM, up to `grace` seconds, then SIGKILL; False when that process was gone already."""
    if not is_running(pid, mark):
        return False
    for sign, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        try:
            os.kill(pid, sign)
        except ProcessLookupError:
            return True
        if wait_until_gone(pid, mark, seconds):
            return True
    return True


def wait_until_gone(pid: int, mark: str | None, seconds: float) -> bool:
    """For a process that is not our child there is no event to await: looked at 50 times a second."""
    deadline = time.monotonic() + seconds
    while is_running(pid, mark):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
    return True
