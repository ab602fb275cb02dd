"""Sentences for the ways a process ends, and the shape of a job's end as it travels upwards."""

from __future__ import annotations

import signal
from typing import Any

ERROR_LIMIT = 32 * 1024
"""Characters of an error text; the middle of a longer one is left out."""


def describe_exit(returncode: int) -> str:
    """How a process ended, from its return code as `subprocess` gives it (negative: a signal)."""
    if returncode >= 0:
        return f"the process ended inside the job with exit code {returncode}, as os._exit({returncode}) does"
    try:
        name = signal.Signals(-returncode).name
        words = (signal.strsignal(-returncode) or name).lower()
    except ValueError:
        return f"the process was ended by signal {-returncode}"
    if -returncode == signal.SIGKILL:
        return f"the process was killed ({name}); when nobody did that, the system ran out of memory"
    return f"{words} ({name})"


def shorten(text: str, limit: int = ERROR_LIMIT) -> str:
    """`text` in at most about `limit` characters: its beginning and its end."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n… ({len(text) - 2 * half} characters left out)\n{text[-half:]}"


def failed(kind: str, error: str, started: float, seconds: float) -> dict[str, Any]:
    """The end of a job that failed; `kind` as in the outcome."""
    return {
        "status": "failed",
        "kind": kind,
        "error": shorten(error),
        "result": {},
        "series": None,
        "files": {},
        "started": started,
        "seconds": seconds,
    }
