"""`python leash.py PROGRAM …`: runs the program so that it ends when the process that started it does."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def tie_to_parent() -> None:
    """Asks Linux to kill this process when its parent's thread ends; elsewhere nothing happens.

    It holds across exec. It fires when the *thread* that started this process ends, so that has to
    be one that lives as long as the program should.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


if __name__ == "__main__":
    tie_to_parent()
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606
