"""What the worker's Python needs, as the user wrote it: which file says so, and what it says.

Reads files of the worker directory and resolves nothing; that is `run/locking.py`.
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..diagnostics import Diagnostic, Span

Kind = Literal["uv.lock", "requirements.txt", "pyproject.toml", "script", "Pipfile", "requirements.in"]

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_COMMENT = re.compile(r"(?:^|\s)#.*$")
_CREDENTIAL = re.compile(r"(?<=://)[^/\s@]+@")
_SCRIPT_HEADER = re.compile(r"(?m)^# /// script$\s(?P<content>(?:^#(?:| .*)$\s)+)^# ///$")  # PEP 723
_TOML_PLACE = re.compile(r" \(at line (\d+), column (\d+)\)$")


@dataclass(frozen=True)
class Requirement:
    """One wish, such as `numpy>=2`, and where it stands. `file` is relative to the worker directory."""

    text: str
    file: str
    line: int

    @property
    def name(self) -> str:
        """As indexes compare names: lower case, runs of `-_.` as one dash; "" when there is none."""
        found = _NAME.match(self.text)
        return comparable(found.group()) if found else ""


@dataclass(frozen=True)
class Source:
    """The file that decides. `digest` changes when what it says does, not when a comment is added."""

    kind: Kind
    file: str
    requirements: tuple[Requirement, ...]
    digest: str


@dataclass(frozen=True)
class Found:
    """The deciding file, None when no file says anything: then nothing is installed."""

    source: Source | None
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def digest(self) -> str:
        return self.source.digest if self.source else _digest("nothing")


def comparable(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def without_credentials(text: str) -> str:
    return _CREDENTIAL.sub("***@", text)


def find_requirements(directory: Path, entrypoint: str | None) -> Found:
    """The first file, in the order of `_READERS`, that says what the worker needs.

    Never raises for what is in the files: that comes back as diagnostics with the file's line.
    """
    reading = _Reading(directory, entrypoint)
    for read in _READERS:
        source = read(reading)
        if source is not None:
            for requirement in source.requirements:
                reading.judge(requirement)
            return Found(source, tuple(reading.diagnostics))
    for name, sentence, hint in _UNREAD:
        if os.path.isfile(directory / name):
            reading.complain("unread-requirements", name, 0, f"{name} {sentence}", hint)
            break
    return Found(None, tuple(reading.diagnostics))


_UNREAD = (
    (
        "environment.yml",
        "is for conda, which no worker node has",
        "list the packages in requirements.txt; an empty one says that nothing is needed",
    ),
    (
        "environment.yaml",
        "is for conda, which no worker node has",
        "list the packages in requirements.txt; an empty one says that nothing is needed",
    ),
    (
        "Pipfile.lock",
        "is read only beside its Pipfile",
        "bring the Pipfile back, or write `pipenv requirements > requirements.txt`",
    ),
    ("poetry.lock", "is not read", "write `poetry export > requirements.txt`, or use [project].dependencies"),
    ("uv.lock", "is read only beside its pyproject.toml", "bring the pyproject.toml back"),
    ("setup.py", "is not run to find out what is needed", "list the packages in requirements.txt"),
)


@dataclass
class _Reading:
    """One look at a worker directory; gathers what is wrong on the way."""

    directory: Path
    entrypoint: str | None
    diagnostics: list[Diagnostic] = field(default_factory=list)

    def text(self, name: str) -> str | None:
        path = self.directory / name
        try:
            return path.read_text(encoding="utf-8-sig", errors="replace") if os.path.isfile(path) else None
        except OSError as error:
            self.complain("unreadable-file", name, 0, f"{name} cannot be read: {error.strerror}", "")
            return None

    def toml(self, name: str) -> tuple[str, dict[str, Any]] | None:
        text = self.text(name)
        return None if text is None else (text, self.parse_toml(text, name))

    def parse_toml(self, text: str, name: str, first_line: int = 1) -> dict[str, Any]:
        import tomllib

        try:
            return tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            place = _TOML_PLACE.search(str(error))
            line = int(place.group(1)) + first_line - 1 if place else first_line
            what = _TOML_PLACE.sub("", str(error))
            self.complain(
                "toml-syntax", name, line, f"{name} is not TOML here: {what[:1].lower()}{what[1:]}", ""
            )
            return {}

    def judge(self, requirement: Requirement) -> None:
        """Complains about what no hash can pin."""
        for pattern, sentence in _UNPINNABLE:
            if pattern.search(requirement.text):
                self.complain(
                    "unlockable-requirement",
                    requirement.file,
                    requirement.line,
                    f"{sentence}: it cannot be locked by hash",
                    "depend on a released version, or copy the package's source into the worker directory",
                )
                return

    def complain(self, code: str, name: str, line: int, message: str, hint: str) -> None:
        """`line` from 1; 0 means the file as a whole."""
        path = self.directory / name
        lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines() if line else []
        shown = lines[line - 1] if 0 < line <= len(lines) else ""
        span = Span(line, 1, line, len(shown) + 1) if line else None
        self.diagnostics.append(
            Diagnostic(
                code, "error", without_credentials(message), str(path), hint, span, without_credentials(shown)
            )
        )


_UNPINNABLE = (
    (re.compile(r"^(?:-e\b|--editable\b)"), "an editable package is a directory of this machine"),
    (re.compile(r"(?:^|@\s*|\s)(?:git|hg|svn|bzr)\+"), "a package from a repository has no fixed content"),
    (
        re.compile(r"^\.{0,2}/|^\.{1,2}$|@\s*(?:file:|\.{0,2}/)"),
        "a package by path is a file of this machine",
    ),
    (re.compile(r"://"), "a package by address is no release of an index"),
    (re.compile(r"^[^;\s]+\.(?:whl|zip|tar\.gz)(?:\s|$)"), "a package by path is a file of this machine"),
)


# ── one reader per kind of file ──────────────────────────────────────────────────────────────
def _read_uv_lock(reading: _Reading) -> Source | None:
    text, project = reading.text("uv.lock"), reading.text("pyproject.toml")
    if text is None or project is None:
        return None
    return Source("uv.lock", "uv.lock", (), _digest("uv.lock", text))


def _read_requirements_txt(reading: _Reading) -> Source | None:
    return _read_list(reading, "requirements.txt", "requirements.txt")


def _read_requirements_in(reading: _Reading) -> Source | None:
    return _read_list(reading, "requirements.in", "requirements.in")


def _read_list(reading: _Reading, kind: Kind, name: str) -> Source | None:
    text = reading.text(name)
    if text is None:
        return None
    listing = _Listing(reading)
    listing.read(name, text)
    return Source(kind, name, tuple(listing.requirements), _digest(kind, *listing.said))


class _Listing:
    """A requirements file with those it names by `-r` and `-c`."""

    def __init__(self, reading: _Reading) -> None:
        self.reading = reading
        self.requirements: list[Requirement] = []
        self.said: list[str] = []
        self.seen: set[str] = set()

    def read(self, name: str, text: str, constraint: bool = False) -> None:
        self.seen.add(name)
        for line, entry in _logical_lines(text):
            self.said.append(f"constraint {entry}" if constraint else entry)
            option, value = _option(entry)
            if option in ("-r", "--requirement", "-c", "--constraint"):
                self._read_named(name, line, value, constraint or option in ("-c", "--constraint"))
            elif not constraint and (option in ("", "-e", "--editable")):
                self.requirements.append(Requirement(entry, name, line))

    def _read_named(self, name: str, line: int, value: str, constraint: bool) -> None:
        inner = posixpath.normpath(posixpath.join(posixpath.dirname(name), value))
        if inner in self.seen or "://" in value:
            return
        text = self.reading.text(inner)
        if text is None:
            self.reading.complain("missing-requirements", name, line, f'there is no file "{inner}"', "")
        else:
            self.read(inner, text, constraint)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """(line from 1, entry) without comments and blank lines, lines ending in a backslash joined."""
    start, held = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        start = start or number
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            held += line[:-1] + " "
            continue
        entry = " ".join(_COMMENT.sub("", held + line).split())
        if entry:
            yield start, entry
        start, held = 0, ""


def _option(entry: str) -> tuple[str, str]:
    """("-r", "other.txt") of `-r other.txt`, `-rother.txt` and `--requirement=other.txt`; ("", …) of no option."""
    if not entry.startswith("-"):
        return "", entry
    if entry.startswith("--"):
        option, _, value = entry.replace("=", " ", 1).partition(" ")
        return option, value.strip()
    return entry[:2], entry[2:].strip()


def _read_pyproject(reading: _Reading) -> Source | None:
    read = reading.toml("pyproject.toml")
    if read is None:
        return None
    text, document = read
    project = document.get("project")
    if not isinstance(project, dict):
        return None
    if "dependencies" in project.get("dynamic", ()):
        line = _line_with(text, "dynamic")
        reading.complain(
            "unlockable-requirement", "pyproject.toml", line,
            "the dependencies are dynamic: known only to whoever builds the package",
            "list them in [project].dependencies or in requirements.txt",
        )  # fmt: skip
    wishes = _texts(project.get("dependencies", ()))
    sources = document.get("tool", {}).get("uv", {})
    said = (*wishes, project.get("requires-python", ""), json.dumps(sources, sort_keys=True, default=str))
    requirements = tuple(Requirement(wish, "pyproject.toml", _line_with(text, wish)) for wish in wishes)
    return Source("pyproject.toml", "pyproject.toml", requirements, _digest("pyproject.toml", *said))


def _read_script(reading: _Reading) -> Source | None:
    """The PEP 723 header of the entrypoint's own file."""
    if reading.entrypoint is None:
        return None
    name = reading.entrypoint.partition(":")[0].replace(".", "/") + ".py"
    text = reading.text(name)
    header = _SCRIPT_HEADER.search(text) if text is not None else None
    if text is None or header is None:
        return None
    content = "\n".join(line[2:] for line in header["content"].splitlines())
    first_line = text.count("\n", 0, header.start()) + 2
    document = reading.parse_toml(content, name, first_line)
    wishes = _texts(document.get("dependencies", ()))
    requirements = tuple(Requirement(wish, name, _line_with(text, wish)) for wish in wishes)
    return Source(
        "script", name, requirements, _digest("script", *wishes, document.get("requires-python", ""))
    )


def _read_pipfile(reading: _Reading) -> Source | None:
    read = reading.toml("Pipfile")
    if read is None:
        return None
    text, document = read
    requirements = tuple(
        Requirement(_pipfile_wish(name, wish), "Pipfile", _line_with(text, name))
        for name, wish in document.get("packages", {}).items()
    )
    return Source("Pipfile", "Pipfile", requirements, _digest("Pipfile", *(r.text for r in requirements)))


def _pipfile_wish(name: str, wish: str | Mapping[str, Any]) -> str:
    """`{version = ">=2", extras = ["fast"], markers = "…"}` as `name[fast]>=2 ; …`."""
    if isinstance(wish, str):
        return name if wish == "*" else f"{name}{wish}"
    for key in ("git", "hg", "svn"):
        if key in wish:
            return f"{name} @ {key}+{wish[key]}"
    for key in ("path", "file"):
        if key in wish:
            return f"{name} @ file:{wish[key]}"
    extras = f"[{','.join(wish['extras'])}]" if wish.get("extras") else ""
    version = wish.get("version", "*")
    conditions = [f"{key} {wish[key]}" for key in _PIPFILE_MARKERS if key in wish]
    if "markers" in wish:
        conditions.append(f"({wish['markers']})" if conditions else wish["markers"])
    marker = f" ; {' and '.join(conditions)}" if conditions else ""
    return f"{name}{extras}{'' if version == '*' else version}{marker}"


_PIPFILE_MARKERS = ("os_name", "sys_platform", "platform_machine", "platform_system", "python_version")

_READERS: tuple[Callable[[_Reading], Source | None], ...] = (
    _read_uv_lock,
    _read_requirements_txt,
    _read_pyproject,
    _read_script,
    _read_pipfile,
    _read_requirements_in,
)


def _texts(wishes: Iterable[Any]) -> tuple[str, ...]:
    return tuple(wish for wish in wishes if isinstance(wish, str))


def _line_with(text: str, wanted: str) -> int:
    for number, line in enumerate(text.splitlines(), 1):
        if wanted in line:
            return number
    return 1


def _digest(*said: str) -> str:
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()
