"""The payload's environment: a virtual environment made by uv from the lock, kept by its content."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from . import archives, homes, leash
from .cache import Say, disk_errors, settle
from .orders import Broken
from .usage import locked

LOCK = Path(".cloudburst", "lock.txt")
_COMPLETE = ".complete"

_NOT_UNDER = "set XDG_CACHE_HOME to a directory on a larger disk, or free some space"

# What uv says -> what is wrong, what to do, and whether it may pass by itself.
_CAUSES: tuple[tuple[str, str, str, bool], ...] = (
    (r"No space left on device|os error 28|Disk quota exceeded", "there is no space left on the disk for the environment", _NOT_UNDER, True),
    (r"python-build-standalone|No interpreter found|Failed to inspect Python|Querying Python at|No download found|not find (an interpreter|Python)|no virtual or system environment", "Python {python} is not on this node and cannot be fetched", "install it, or name one that is there: `worker: python:`, then `cloudburst lock`", False),
    (r"[Hh]ash mismatch", "a package is not the one that was locked: its hash differs", "`cloudburst lock` makes a new lock, if you trust the new file", False),
    (r"dns error|error sending request|[Cc]onnection (refused|reset)|tcp connect error|timed out|[Nn]etwork is unreachable|Failed to fetch|Request failed|Could not connect|error trying to connect", "the package index cannot be reached", "look at the network, and at UV_DEFAULT_INDEX or PIP_INDEX_URL if you use another index", True),
    (r"no version of|not found in the package registry|No solution found", "a locked package is not to be had for this node's Python and platform", "`cloudburst lock` resolves anew; `worker: python:` names another Python", False),
)  # fmt: skip
_UNKNOWN = ("the environment of the worker cannot be built", "what uv said says why", False)

_SAID = 12
"""Lines of uv that are kept: it says what is wrong last."""

# uv reads its own variables only; who has told pip of another index means uv as well. uv's own win.
_SAME_FOR_PIP = (
    ("PIP_INDEX_URL", ("UV_DEFAULT_INDEX", "UV_INDEX_URL")),
    ("PIP_EXTRA_INDEX_URL", ("UV_INDEX", "UV_EXTRA_INDEX_URL")),
    ("PIP_FIND_LINKS", ("UV_FIND_LINKS",)),
    ("PIP_TRUSTED_HOST", ("UV_INSECURE_HOST",)),
    ("PIP_CERT", ("SSL_CERT_FILE",)),
)


def key(lock: str, python: str) -> str:
    """The name of the environment: of the lock's text, Python's minor version and the platform."""
    where = f"{sys.platform}-{platform.machine()}-{'-'.join(platform.libc_ver())}"
    return hashlib.sha256("\0".join((lock, python, where)).encode("utf-8")).hexdigest()


def build(payload: Path, python: str, root: Path, say: Say) -> Path:
    """The interpreter of the environment of `payload`, made under `root` unless it is there.

    `python` is the minor version, such as "3.11". uv's progress goes to `say`. What is there and whole
    is used as it is, without asking anybody anything. Raises Broken.
    """
    lock, name = payload / LOCK, name_for(payload, python)
    place = root / "environments" / name
    with disk_errors("the environment", root), locked(root / "locks" / name):
        if not _is_whole(place):
            say("building the environment")
            archives.remove(place)
            place.parent.mkdir(parents=True, exist_ok=True)
            _make(place, lock if _text(lock) else None, python, root / "home", say)
            settle(place)
            (place / _COMPLETE).touch()
            archives.make_read_only(place, shared=not homes.has_one(os.environ))
    return place / "bin" / "python"


def name_for(payload: Path, python: str) -> str:
    """The name of the environment that this payload wants."""
    return key(_text(payload / LOCK), python)


def _text(lock: Path) -> str:
    return lock.read_text(encoding="utf-8") if lock.is_file() else ""


def _is_whole(place: Path) -> bool:
    """Whether it was finished, and the Python it was made with is still there."""
    return (place / _COMPLETE).exists() and (place / "bin" / "python").exists()


def _make(place: Path, lock: Path | None, python: str, home: Path, say: Say) -> None:
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    interpreter = sys.executable if python == ours else python
    try:
        _uv(["venv", "--quiet", "--no-project", "--python", interpreter, str(place)], python, home, say)
        if lock is not None:
            into = ["--python", str(place / "bin" / "python")]
            _uv(["pip", "install", "--require-hashes", *into, "-r", str(lock)], python, home, say)
    except Broken:
        archives.remove(place)
        raise


def _uv(arguments: list[str], python: str, home: Path, say: Say) -> None:
    command = [sys.executable, leash.__file__, _find_uv(), *arguments]
    variables = _variables(os.environ, home)
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
        raise _explain("\n".join(words[-_SAID:]), python)


def _variables(environment: Mapping[str, str], home: Path) -> dict[str, str]:
    """uv keeps wheels and Pythons in the user's home; who has none gets `home`, in the node's cache."""
    told = {name: value for name, value in environment.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    for theirs, ours in _SAME_FOR_PIP:
        value = environment.get(theirs, "").strip()
        if value and not any(environment.get(name) for name in ours):
            told[ours[0]] = ",".join(value.split()) if theirs == "PIP_FIND_LINKS" else value
    return told | homes.provide(environment, home)


def _find_uv() -> str:
    try:
        import uv
    except ImportError:
        return "uv"
    return str(uv.find_uv_bin())


def _explain(words: str, python: str) -> Broken:
    known = ((sentence, way, mends) for pattern, sentence, way, mends in _CAUSES if re.search(pattern, words))
    sentence, way, mends = next(known, _UNKNOWN)
    return Broken(sentence.format(python=python), f"{way}\n{words}", mends=mends)
