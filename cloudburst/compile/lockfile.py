"""`<spec stem>.lock`: what exactly the worker's Python installs. Its text form, and whether it is still right.

Pure: text in, values out. Making one runs a resolver, and that is `run/locking.py`.

    # CloudBurst lock, format 1. Made by `cloudburst lock`; keep it in git.
    # python: 3.11
    # made from: requirements.txt
    # inputs: sha256:…
    six==1.17.0 \\
        --hash=sha256:…

Below the header it is a requirements file, for all platforms, every line pinned by hash. It names no index
and holds no credential: where packages come from is each machine's own setting.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from .requirements import Found, without_credentials

_TITLE = "# CloudBurst lock, format 1. Made by `cloudburst lock`; keep it in git."
_TITLE_FORM = re.compile(r"# CloudBurst lock, format (\d+)\b")
_HEADER = re.compile(r"# (python|made from|inputs): ?(.*)")
_PYTHON = re.compile(r"3\.\d+")
_PINNED = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==(?P<version>[^\s;]+)(?:\s*;\s*(?P<marker>.+?))?"
)
_HASH = re.compile(r"\s--hash=(?P<hash>sha256:[0-9a-f]{64})\b")
_OF_AN_INDEX = re.compile(
    r"(?:-i|-f|--(?:index-url|default-index|index|extra-index-url|find-links|trusted-host|no-index|pre|prefer-binary|"
    r"no-binary|only-binary|require-hashes))(?:[\s=]|$)"
)


class BadLock(ValueError):
    """A text that is no lock. `line` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"line {line}: {message}")
        self.line = line
        self.message = message


@dataclass(frozen=True)
class Lock:
    """`python` such as "3.11"; `inputs` the digest of what it was made from; `made_from` "" for no file at all.

    `requirements` is the text below the header, "" when nothing is installed.
    """

    python: str
    inputs: str
    made_from: str
    requirements: str

    def render(self) -> str:
        """The file's text; `parse_lock` of it is this lock."""
        header = (
            _TITLE,
            f"# python: {self.python}",
            f"# made from: {self.made_from or '(nothing)'}",
            f"# inputs: sha256:{self.inputs}",
        )
        return "\n".join(header) + "\n" + self.requirements

    @property
    def packages(self) -> tuple[str, ...]:
        """`name==version` in the order of the file; one that differs by platform stands more than once."""
        return tuple(entry.partition(" ")[0] for _, entry in _entries(self.requirements))


@dataclass(frozen=True)
class Dependencies:
    """Whether the lock is there and right. `reason` is a phrase for people: "older than requirements.txt"."""

    state: Literal["locked", "missing", "stale", "damaged"]
    reason: str
    lock: Lock | None = None


def parse_lock(text: str) -> Lock:
    """Raises BadLock, with the line, for anything `render` would not have written."""
    title = _TITLE_FORM.match(text)
    if title is None:
        raise BadLock(1, "this is no CloudBurst lock")
    if title.group(1) != "1":
        raise BadLock(1, f"this lock has format {title.group(1)}, made by a newer cloudburst")
    lines = text.splitlines(keepends=True)
    header: dict[str, str] = {}
    for line in lines[1:4]:
        if found := _HEADER.match(line.rstrip()):
            header[found.group(1)] = found.group(2)
    if set(header) != {"python", "made from", "inputs"} or not _PYTHON.fullmatch(header["python"]):
        raise BadLock(2, "the header is incomplete")
    requirements = clean_requirements("".join(lines[4:]), first_line=5)
    made_from = header["made from"]
    return Lock(
        header["python"],
        header["inputs"].removeprefix("sha256:"),
        "" if made_from == "(nothing)" else made_from,
        requirements,
    )


def clean_requirements(text: str, *, first_line: int = 1) -> str:
    """A resolver's output without comments and index options, in one form, checked to be pinned by hash.

    Raises BadLock, its line counted from `first_line`, for a requirement that is not a version with hashes.
    """
    return "".join(_clean_entry(line + first_line - 1, entry) for line, entry in _entries(text))


def judge_lock(text: str | None, found: Found, python: str | None) -> Dependencies:
    """`text` of the lock file (None: not there), what the worker directory says now, `worker.python`."""
    if text is None:
        return Dependencies("missing", "not locked yet")
    try:
        lock = parse_lock(text)
    except BadLock as error:
        return Dependencies("damaged", f"the lock cannot be read, {error}")
    reason = _staleness(lock, found, python)
    return Dependencies("stale" if reason else "locked", reason, lock)


def _staleness(lock: Lock, found: Found, python: str | None) -> str:
    made_from = found.source.file if found.source else ""
    if lock.made_from != made_from:
        return f"lock made from {lock.made_from or 'nothing'}, but now {made_from or 'nothing'} says what is needed"
    if lock.inputs != found.digest:
        return f"lock older than {made_from}"
    if python is not None and lock.python != python:
        return f"lock made for Python {lock.python}, but worker.python is {python}"
    return ""


def _entries(text: str) -> Iterator[tuple[int, str]]:
    """(line from 1, requirement with its hashes on one line), comments and index options left out."""
    start, held = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not held and (not stripped or stripped.startswith("#") or _OF_AN_INDEX.match(stripped)):
            continue
        start = start or number
        held += stripped.removesuffix("\\")
        if not stripped.endswith("\\"):
            yield start, held
            start, held = 0, ""
    if held:
        yield start, held


def _clean_entry(line: int, entry: str) -> str:
    hashes = sorted({found["hash"] for found in _HASH.finditer(" " + entry)})
    wish = _HASH.sub("", " " + entry).strip()
    pinned = _PINNED.fullmatch(wish)
    if pinned is None:
        raise BadLock(line, f'"{without_credentials(wish)}" is not one version of one package')
    if not hashes:
        raise BadLock(line, f'"{pinned["name"]}" has no hash')
    return " \\\n".join([wish, *(f"    --hash={text}" for text in hashes)]) + "\n"
