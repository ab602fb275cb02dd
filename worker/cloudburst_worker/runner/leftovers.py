"""Processes: dying with the supervisor, and ending what a job left behind."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import select
import signal
import subprocess
import sys
import threading

_PR_SET_CHILD_SUBREAPER = 36


def die_with(lifeline: int) -> None:
    """Ends this process and its whole group when the other end of the pipe `lifeline` closes.

    On Linux the kernel does it (a signal that a file descriptor sends on its own account), so that
    neither C code that holds the interpreter's lock nor a program started by the job outlives the
    supervisor. Elsewhere a thread does it. This process must lead its process group.
    """
    if not hasattr(fcntl, "F_SETSIG"):
        threading.Thread(target=_wait_and_die, args=(lifeline,), daemon=True).start()
        return
    fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([lifeline], [], [], 0)[0]:  # it closed before the signal was asked for
        os.killpg(0, signal.SIGKILL)


def _wait_and_die(lifeline: int) -> None:
    while os.read(lifeline, 4096):
        pass
    os.killpg(0, signal.SIGKILL)


def adopt_orphans() -> None:
    """Grandchildren whose parent ends become children of this process (Linux), so they can be found."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def volunteer_for_the_oom_killer() -> None:
    """Makes the system, short of memory, end a job before it ends the queue or the supervisor."""
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("500")
    except OSError:
        pass


def children() -> set[int]:
    """The processes whose parent is this one."""
    with contextlib.suppress(OSError):  # not every kernel has these files
        return _children_by_threads()
    try:
        entries = os.listdir("/proc")
    except FileNotFoundError:
        return _children_by_ps()
    me = os.getpid()
    return {int(entry) for entry in entries if entry.isdigit() and _parent(entry) == me}


def _children_by_threads() -> set[int]:
    found: set[int] = set()
    for thread in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{thread}/children", "rb") as file:
            found.update(map(int, file.read().split()))
    return found


def _parent(pid: str) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return -1


def _children_by_ps() -> set[int]:
    lister = subprocess.Popen(["ps", "-ax", "-o", "pid=,ppid="], stdout=subprocess.PIPE, text=True)
    pairs = [line.split() for line in lister.communicate()[0].splitlines()]
    found = {int(pair[0]) for pair in pairs if len(pair) == 2 and int(pair[1]) == os.getpid()}
    return found - {lister.pid}


def end_children(spared: set[int]) -> None:
    """Ends every child but the spared ones, and what they leave behind in turn."""
    if not spared and not _has_children():
        return
    while True:
        ours = children() - spared
        if not ours:
            return
        for pid in ours:
            _kill(pid)
        for pid in ours:
            _reap(pid)


def _has_children() -> bool:
    """Whether any child is left; those that ended already are taken from the process table."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)
