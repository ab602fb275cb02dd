"""Makes `<spec stem>.lock`: asks uv which versions the worker's requirements come to, on every platform.

The index is the user's: uv's own configuration and environment, and pip's variables where uv has none of its own.
None of it gets into the lock.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from ..compile.lockfile import BadLock, Lock, clean_requirements, parse_lock
from ..compile.requirements import (
    Found,
    Requirement,
    Source,
    comparable,
    find_requirements,
    without_credentials,
)
from ..errors import CloudBurstError, LockingFailed, SpecError
from .leftovers import beside

Say = Callable[[str], None]

_COMPILE = ("pip", "compile", "--universal", "--generate-hashes", "--no-header", "--no-annotate")
_EXPORT = ("export", "--frozen", "--no-dev", "--no-emit-project", "--no-header", "--no-annotate")


def running_python() -> str:
    """The minor version of this interpreter, such as "3.11": the default of `worker.python`."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def make_lock(
    directory: Path, entrypoint: str | None, python: str | None, target: Path, *, say: Say = lambda _: None
) -> Lock:
    """Resolves what `directory` asks for and writes the lock to `target`, whole or not at all.

    Versions a lock at `target` already pins are kept where they still fit, so that the same requirements give
    the same text next year. `say` gets uv's lines as they come. Raises SpecError for a requirement that no hash
    can pin, LockingFailed when uv finds no solution or cannot be run.
    """
    found = find_requirements(directory, entrypoint)
    if found.diagnostics:
        raise SpecError(found.diagnostics)
    python = python or running_python()
    requirements = _resolve(directory, found, python, _pinned_before(target), say)
    lock = Lock(python, found.digest, found.source.file if found.source else "", requirements)
    _write(target, lock.render())
    return lock


def index_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` with pip's index variables said to uv, which reads only its own. uv's own win."""
    told = dict(environment)
    for theirs, ours, convert in _SAME_FOR_PIP:
        value = environment.get(theirs, "").strip()
        if value and not any(environment.get(name) for name in ours):
            told[ours[0]] = convert(value)
    return told


def _commas(value: str) -> str:
    return ",".join(value.split())


_SAME_FOR_PIP: tuple[tuple[str, tuple[str, ...], Callable[[str], str]], ...] = (
    ("PIP_INDEX_URL", ("UV_DEFAULT_INDEX", "UV_INDEX_URL"), str),
    ("PIP_EXTRA_INDEX_URL", ("UV_INDEX", "UV_EXTRA_INDEX_URL"), str),
    ("PIP_FIND_LINKS", ("UV_FIND_LINKS",), _commas),
    ("PIP_TRUSTED_HOST", ("UV_INSECURE_HOST",), str),
    ("PIP_CERT", ("SSL_CERT_FILE",), str),
)


def _pinned_before(target: Path) -> str:
    try:
        return parse_lock(target.read_text(encoding="utf-8")).requirements
    except (OSError, BadLock, UnicodeDecodeError):
        return ""


def _resolve(directory: Path, found: Found, python: str, pinned: str, say: Say) -> str:
    source = found.source
    if source is None or (source.kind != "uv.lock" and not source.requirements):
        return ""
    with tempfile.TemporaryDirectory(prefix="cloudburst-lock-") as scratch:
        output = Path(scratch) / "requirements.txt"
        output.write_text(pinned, encoding="utf-8")
        arguments = (*_question(source, python, Path(scratch)), "-o", str(output))
        said, status = _run_uv(arguments, directory, say)
        if status != 0 and _FOR_OTHERS in said:
            limited = _for_this_python_alone(Path(scratch), python)
            status = _run_uv(
                arguments[:-3] + (str(directory / source.file), "-o", str(output)), limited, say
            )[1]
        if status != 0:
            raise explain(said, source, python)
        return _checked(output.read_text(encoding="utf-8"), source)


_FOR_OTHERS = "for other Python versions supported by your project"


def _for_this_python_alone(scratch: Path, python: str) -> Path:
    """A place from which uv resolves for this minor version only; it wants every later one to work as well.

    What `[tool.uv]` of the worker's own pyproject.toml says is not seen from there: a second try, never the first.
    """
    major, minor = python.split(".")
    project = scratch / "limited" / "pyproject.toml"
    project.parent.mkdir()
    project.write_text(
        f"[tool.uv]\nenvironments = [\"python_full_version < '{major}.{int(minor) + 1}'\"]\n",
        encoding="utf-8",
    )
    return project.parent


def _question(source: Source, python: str, scratch: Path) -> tuple[str, ...]:
    """uv's arguments for this kind of file; a Pipfile is put into words uv knows first."""
    common = ("--python", sys.executable, "--no-python-downloads", "--color", "never")
    if source.kind == "uv.lock":
        return (*_EXPORT, *common)
    asked = source.file
    if source.kind == "Pipfile":
        asked = str(scratch / "Pipfile.txt")
        Path(asked).write_text("".join(f"{r.text}\n" for r in source.requirements), encoding="utf-8")
    return (*_COMPILE, *common, "--python-version", python, asked)


def _run_uv(arguments: tuple[str, ...], directory: Path, say: Say) -> tuple[str, int]:
    """(what uv said, exit status). Ends uv when interrupted."""
    try:
        running = subprocess.Popen(
            [_uv(), *arguments], cwd=directory, env=index_environment(os.environ),
            text=True, encoding="utf-8", errors="replace",
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
    except OSError as error:
        raise LockingFailed(f"uv cannot be started: {error.strerror}", hint="pip install uv") from error
    try:
        with running:
            lines = []
            for line in running.stderr or ():
                lines.append(line)
                say(without_credentials(line.rstrip()))
        return "".join(lines), running.returncode
    except BaseException:
        running.terminate()
        raise


def _uv() -> str:
    from uv import find_uv_bin

    try:
        return find_uv_bin()
    except FileNotFoundError as error:
        raise LockingFailed(
            "uv, which resolves requirements, is not installed", hint="pip install uv"
        ) from error


def _checked(text: str, source: Source) -> str:
    try:
        return clean_requirements(text)
    except BadLock as error:
        raise LockingFailed(
            f"{source.file} cannot be locked: {error.message}",
            hint="every package must be a released version from an index; copy others into the worker directory",
        ) from error


def _write(target: Path, text: str) -> None:
    temporary = beside(target)
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(target)
    except OSError as error:
        raise CloudBurstError(f"{target} cannot be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


# ── what uv says when it fails, in our words and with the user's line ────────────────────────
_DECORATION = re.compile(r"[×╰─▶│├]+")
_NO_VERSION = re.compile(
    r"there (?:is|are) no versions? of (?P<name>[\w.-]+)(?:\{[^}]*\})?(?P<wish>[=<>!~]\S*)?"
)
_ONLY = re.compile(
    r"only (?P<name>[\w.-]+?)(?:\{[^}]*\})?(?P<have>[=<>!~]\S*) is available and "
    r"you require [\w.-]+?(?:\{[^}]*\})?(?P<wish>[=<>!~]\S*?)(?:,? we can|,? which|$)"
)
_OTHER_PYTHON = re.compile(
    r"the (?:requested|current) Python version \([^)]*\) does not satisfy Python(?P<needs>\S+) and (?P<what>\S+) depends on"
)
_UNKNOWN = re.compile(r"(?P<name>[\w.-]+) was not found in (?:the package registry|the provided)")
_UNREADABLE = re.compile(
    r"Couldn't parse requirement in `?(?P<file>[^`\n]*?)`? at position (?P<position>\d+)"
)
_SILENT_INDEX = re.compile(
    r"(?:Failed to (?:fetch|download)[^\n]*?https?://(?:\*+@)?(?P<host>[^/\s`]+)|dns error|Connection refused|timed out)"
)
_DISK_FULL = re.compile(r"No space left on device")
_REASONS = (
    re.compile(r"Because (.*?),? we can conclude"),
    re.compile(r"cause: (.*?)(?: hint: .*)?$"),
    re.compile(r"(?:error: )?(.*)"),
)


def explain(said: str, source: Source, python: str) -> LockingFailed:
    """uv's complaint as one sentence, with the line of the requirements at fault where it can be told."""
    plain = without_credentials(" ".join(_DECORATION.sub(" ", said).split()))
    for judge in (_disk_full, _unreadable, _unknown, _no_version, _only_others, _silent_index):
        failed = judge(plain, source)
        if failed is not None:
            return failed
    return _other_python(plain, source, python) or _contradiction(plain, source, python)


def _other_python(said: str, source: Source, python: str) -> LockingFailed | None:
    found = _OTHER_PYTHON.search(said)
    if found is None:
        return None
    culprit = _mentioned(found["what"], source) or _mentioned(said, source)
    return LockingFailed(
        f"{_place(culprit, source)}: {found['what']} needs Python {found['needs']}, the worker has {python}",
        hint="set worker.python to a version it supports, or ask for another version of the package",
    )


def _contradiction(said: str, source: Source, python: str) -> LockingFailed:
    reason = next(found[1] for reason in _REASONS if (found := reason.search(said)))
    return LockingFailed(
        f"{_place(_mentioned(reason, source), source)}: cannot be resolved for Python {python}: {_shortened(reason)}",
        hint="loosen one of the requirements, or set worker.python to a version that all of them support",
    )


def _disk_full(said: str, source: Source) -> LockingFailed | None:
    if _DISK_FULL.search(said) is None:
        return None
    return LockingFailed(f"no space left on the disk while resolving {source.file}", hint="free some space")


def _unreadable(said: str, source: Source) -> LockingFailed | None:
    found = _UNREADABLE.search(said)
    if found is None:
        return None
    culprit = next((r for r in source.requirements if r.text in said), None)
    shown = f'"{without_credentials(culprit.text)}"' if culprit else "one line"
    return LockingFailed(
        f"{_place(culprit, source)}: {shown} cannot be read as a requirement",
        hint="one package a line, such as `numpy>=2`",
    )


def _unknown(said: str, source: Source) -> LockingFailed | None:
    found = _UNKNOWN.search(said)
    if found is None:
        return None
    name = found["name"]
    return LockingFailed(
        f"{_place(_named(name, source), source)}: the package index has no package {name}",
        hint="check the spelling; a private index is named by UV_INDEX, UV_DEFAULT_INDEX or PIP_INDEX_URL",
    )


def _no_version(said: str, source: Source) -> LockingFailed | None:
    found = _NO_VERSION.search(said)
    if found is None:
        return None
    wish = (found["wish"] or "").rstrip(".,")
    return _no_match(found["name"], wish, source, "")


def _only_others(said: str, source: Source) -> LockingFailed | None:
    found = _ONLY.search(said)
    if found is None or _named(found["name"], source) is None:
        return None
    return _no_match(found["name"], found["wish"] or "", source, f" (there is {found['have']})")


def _no_match(name: str, wish: str, source: Source, besides: str) -> LockingFailed:
    what = f"no version of {name} matches {wish}" if wish else f"there is no version of {name} to install"
    return LockingFailed(
        f"{_place(_named(name, source), source)}: {what}{besides}",
        hint="ask for a version that is released; for one in a private index set UV_INDEX or PIP_EXTRA_INDEX_URL",
    )


def _silent_index(said: str, source: Source) -> LockingFailed | None:
    found = _SILENT_INDEX.search(said)
    if found is None:
        return None
    where = f" at {found['host']}" if found["host"] else ""
    return LockingFailed(
        f"the package index{where} does not answer, so {source.file} cannot be locked",
        hint="check the network or the proxy and try again; a study that is locked already needs no index for this",
    )


def _named(name: str, source: Source) -> Requirement | None:
    wanted = comparable(name)
    return next((r for r in source.requirements if r.name == wanted), None)


def _mentioned(text: str, source: Source) -> Requirement | None:
    """The requirement the text speaks of first; of requirements no word of which is in it, none."""
    places = [(found.start(), r) for r in source.requirements if (found := _word(r.name).search(text))]
    return min(places, key=lambda place: place[0])[1] if places else None


def _word(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.-]){re.escape(name).replace('-', '[-_.]+')}(?![\w-])", re.IGNORECASE)


def _place(culprit: Requirement | None, source: Source) -> str:
    return f"{culprit.file}:{culprit.line}" if culprit else source.file


def _shortened(text: str, limit: int = 600) -> str:
    return text if len(text) <= limit else text[:limit].rsplit(" ", 1)[0] + " …"
