"""The payload's environment: a virtual environment made by uv from the lock, kept by its content."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

from . import archives, leash
from .cache import Say, disk_errors, locked
from .orders import Broken

LOCK = Path(".cloudburst", "lock.txt")
_COMPLETE = ".complete"

_CAUSES: tuple[tuple[str, str, bool], ...] = (
    (r"No space left on device|os error 28|Disk quota exceeded", "there is no space left on the disk for the environment", True),
    (r"No interpreter found|Failed to inspect Python|Querying Python at|No download found|not find (an interpreter|Python)|no virtual or system environment", "Python {python} is not on this node and cannot be fetched", False),
    (r"[Hh]ash mismatch", "a package is not the one that was locked: its hash differs", False),
    (r"dns error|error sending request|[Cc]onnection (refused|reset)|tcp connect error|timed out|[Nn]etwork is unreachable|Failed to fetch|Request failed|Could not connect|error trying to connect", "the package index cannot be reached", True),
    (r"no version of|not found in the package registry|No solution found", "a locked package is not to be had for this node's Python and platform", False),
)  # fmt: skip


def key(lock: str, python: str) -> str:
    """The name of the environment: of the lock's text, Python's minor version and the platform."""
    where = f"{sys.platform}-{platform.machine()}-{'-'.join(platform.libc_ver())}"
    return hashlib.sha256("\0".join((lock, python, where)).encode("utf-8")).hexdigest()


def build(payload: Path, python: str, root: Path, say: Say) -> Path:
    """The interpreter of the environment of `payload`, made under `root` unless it is there.

    `python` is the minor version, such as "3.11". uv's progress goes to `say`. Raises Broken.
    """
    lock = payload / LOCK
    text = lock.read_text(encoding="utf-8") if lock.is_file() else ""
    name = key(text, python)
    place = root / "environments" / name
    with disk_errors("the environment", root), locked(root / "locks" / name):
        if not _is_whole(place):
            say("building the environment")
            archives.remove(place)
            place.parent.mkdir(parents=True, exist_ok=True)
            _make(place, lock if text else None, python, say)
            (place / _COMPLETE).touch()
    return place / "bin" / "python"


def _is_whole(place: Path) -> bool:
    """Whether it was finished, and the Python it was made with is still there."""
    return (place / _COMPLETE).exists() and (place / "bin" / "python").exists()


def _make(place: Path, lock: Path | None, python: str, say: Say) -> None:
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    interpreter = sys.executable if python == ours else python
    try:
        _uv(["venv", "--quiet", "--no-project", "--python", interpreter, str(place)], python, say)
        if lock is not None:
            into = ["--python", str(place / "bin" / "python")]
            _uv(["pip", "install", "--require-hashes", *into, "-r", str(lock)], python, say)
    except Broken:
        archives.remove(place)
        raise


def _uv(arguments: list[str], python: str, say: Say) -> None:
    command = [sys.executable, leash.__file__, _find_uv(), *arguments]
    variables = {
        name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")
    }
    words = []
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=variables, text=True, encoding="utf-8", errors="replace",
    ) as process:  # fmt: skip
        for line in process.stdout or ():
            words.append(line.rstrip())
            if line.strip():
                say(f"building the environment: {line.strip()}")
    if process.returncode:
        raise _explain("\n".join(words[-40:]), python)


def _find_uv() -> str:
    try:
        import uv
    except ImportError:
        return "uv"
    return str(uv.find_uv_bin())


def _explain(words: str, python: str) -> Broken:
    for pattern, sentence, mends in _CAUSES:
        if re.search(pattern, words):
            return Broken(sentence.format(python=python), words, mends=mends)
    return Broken("the environment of the worker cannot be built", words)
