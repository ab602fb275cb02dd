"""The study as it was at a git revision, beside the study as it is: what a pull request changes.

No ledger and no network. Files that git does not know at all (large inputs kept out of it) are taken as they are now.
"""

from __future__ import annotations

import os
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ..compile.archive import crc_and_size
from ..compile.difference import Difference, Progress, causes, compare
from ..compile.payload import changed_files
from ..errors import CloudBurstError, SpecError, UsageError
from .observe import Study, read_study
from .revision import git


@dataclass(frozen=True)
class Comparison:
    """`revision` is the commit that was meant; `code` names the files of the worker that differ."""

    revision: str
    difference: Difference
    code: tuple[str, ...]


def compare_with(study: Study, revision: str, progress: Progress = lambda _done, _all: None) -> Comparison:
    """What differs in the rows and the code since `revision`: a commit, branch or tag.

    Raises UsageError where there is no such revision or no repository, CloudBurstError where the study could not
    be read as it was.
    """
    top, commit = _resolved(study.places.spec.parent, revision)
    with _checked_out(study, top, commit, revision) as path:
        before = _read(path, revision)
        found = causes(
            before.ensemble,
            study.ensemble,
            (before.contents, study.contents),
        )
        difference = compare(before.jobs, study.jobs, found, progress)
        return Comparison(commit, difference, tuple(_code(before, study)))


def _resolved(directory: Path, revision: str) -> tuple[Path, str]:
    top = git(directory, "rev-parse", "--show-toplevel")
    if top is None:
        raise UsageError(
            f"{directory} is in no git repository", "--against compares with a revision of the ensemble file"
        )
    commit = git(directory, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if commit is None:
        known = (git(directory, "branch", "--format=%(refname:short)") or "").split()
        hint = f"there are the branches {', '.join(known[:6])}" if known else "there is no commit yet"
        raise UsageError(f"git knows no revision {revision}", hint)
    return Path(os.path.realpath(top.rstrip("\n"))), commit.strip()


@contextmanager
def _checked_out(study: Study, top: Path, commit: str, revision: str) -> Iterator[Path]:
    """The ensemble file in a copy of the tree at the commit."""
    spec = Path(os.path.realpath(study.places.spec))
    with TemporaryDirectory(prefix="cloudburst-") as scratch:
        home = Path(scratch) / "tree"
        home.mkdir()
        _extract(top, commit, home)
        path = home / spec.relative_to(top)
        if not path.is_file():
            raise UsageError(f"{spec.name} is not in {revision}", "it is new since: every row is")
        _borrow(study, top, home)
        yield path


def _extract(top: Path, commit: str, home: Path) -> None:
    command = ["git", "-C", str(top), "archive", "--format=tar", commit]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None  # noqa: S101  it is a pipe
        assert process.stderr is not None  # noqa: S101
        try:
            with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
                archive.extractall(home, filter="data")
        except (tarfile.TarError, OSError) as error:
            process.kill()
            raise CloudBurstError(f"git could not give the tree of {commit[:12]}: {error}") from error
        said = process.stderr.read().decode(errors="replace").strip()
    if process.returncode:
        raise CloudBurstError(f"git could not give the tree of {commit[:12]}: {said}")


def _borrow(study: Study, top: Path, home: Path) -> None:
    """Inputs and files as values that are here and that git has never been told of."""
    tracked = frozenset((git(top, "ls-files", "-z") or "").split("\0"))
    for one in (*study.inputs.found, *study.files.found):
        source = Path(os.path.realpath(one.source))
        if not source.is_relative_to(top) or str(source.relative_to(top)) in tracked:
            continue
        target = home / source.relative_to(top)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(source)


def _read(path: Path, revision: str) -> Study:
    try:
        return read_study(path)
    except SpecError as error:
        first = next(d for d in error.diagnostics if d.severity == "error")
        line = f"line {first.span.line}: " if first.span else ""
        raise CloudBurstError(
            f"the study at {revision} cannot be read: {line}{first.message}",
            "compare with a revision whose `cloudburst validate` passes",
        ) from error


def _code(before: Study, after: Study) -> Iterator[str]:
    """The files of the worker that differ, by name; its lock is `dependencies`."""
    if before.payload.digest == after.payload.digest:
        return
    old = {entry.name: crc_and_size(entry) for entry in before.payload.entries}
    yield from changed_files(old, after.payload)
