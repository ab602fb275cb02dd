"""Where a study keeps its things: path arithmetic, and the short private directory for its sockets."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets as chance
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import ProviderError

LONGEST_SOCKET = 100
"""Bytes in the path of a unix socket: the kernel's limit is 108 on Linux and 104 on macOS."""

_LONGEST_NAME = len("/file-store-node-000.sock")


@dataclass(frozen=True)
class Places:
    """The files and directories of one study; none of them need exist. All paths are absolute."""

    spec: Path
    study: str

    @property
    def state(self) -> Path:
        """`.cloudburst/`: shared by the studies beside it; it ignores itself in git."""
        return self.spec.parent / ".cloudburst"

    @property
    def root(self) -> Path:
        return self.state / self.study

    @property
    def ledger(self) -> Path:
        return self.root / "ledger.sqlite"

    @property
    def files(self) -> Path:
        return self.root / "files"

    @property
    def plans(self) -> Path:
        return self.root / "plans"

    @property
    def queue(self) -> Path:
        return self.root / "queue"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def lock(self) -> Path:
        """Held by the one `apply` that works on the study."""
        return self.root / "run.lock"

    @property
    def lock_file(self) -> Path:
        """The locked dependencies of the worker, beside the spec and meant for git."""
        return self.spec.with_name(f"{self.spec.stem}.lock")

    @property
    def table(self) -> Path:
        """Where the table goes when the spec does not say."""
        return self.spec.parent / "results" / f"{self.study}.csv"


def places(spec: Path, study: str) -> Places:
    """Makes nothing and looks at nothing but the current directory."""
    return Places(Path(os.path.abspath(spec)), study)


def prepare(place: Places) -> None:
    """Make the study's directories, private ones private, and let git ignore `.cloudburst/`."""
    for directory in (place.root, place.files, place.plans, place.logs):
        directory.mkdir(parents=True, exist_ok=True)
    for directory in (place.queue, place.secrets):
        directory.mkdir(mode=0o700, exist_ok=True)
        directory.chmod(0o700)
    ignore = place.state / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", "utf-8")


def cache_directory() -> Path:
    """Where environments and payloads are kept for every study of this user; not made here."""
    given = os.environ.get("XDG_CACHE_HOME")
    if given and os.path.isabs(given):
        return Path(given) / "cloudburst"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "cloudburst"
    return Path.home() / ".cache" / "cloudburst"


def runtime_directory(root: Path) -> Path:
    """A private directory for the sockets of the study at `root`, made when it is not there.

    The same for every command that asks, whatever the length of the project's path. Raises
    ProviderError when somebody else's directory stands there, or no short enough place exists.
    """
    existing = find_runtime_directory(root)
    if existing is not None:
        return existing
    for base in _bases():
        directory = base / _name(root)
        if not _is_short(directory):
            continue
        try:
            directory.mkdir(mode=0o700)
        except FileExistsError:
            pass
        except OSError:
            continue
        _check_private(directory)
        return directory
    raise ProviderError(
        "there is no place for sockets: every temporary directory is missing, not writable or too long a path",
        "set XDG_RUNTIME_DIR or TMPDIR to a directory of your own with a path of at most 40 characters",
    )


@contextlib.contextmanager
def socket_directory(root: Path) -> Iterator[Path]:
    """In the runtime directory, one for a connection: several may reach for the study at a time. Its name is short."""
    directory = _connection_directory(root)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        with contextlib.suppress(OSError):
            directory.parent.rmdir()


def _connection_directory(root: Path) -> Path:
    """Whoever ends removes what is empty, just when another one begins: then it is made again."""
    while True:
        with contextlib.suppress(FileNotFoundError):
            directory = runtime_directory(root) / chance.token_hex(3)
            directory.mkdir(mode=0o700)
            return directory


def find_runtime_directory(root: Path) -> Path | None:
    """What `runtime_directory` made before, even by a session with another environment; else None."""
    for base in _bases():
        directory = base / _name(root)
        if _is_short(directory) and os.path.lexists(directory):
            _check_private(directory)
            return directory
    return None


def _bases() -> Iterator[Path]:
    """In order of preference; the second finds what a login session made from a session that is none."""
    given = os.environ.get("XDG_RUNTIME_DIR")
    if given and os.path.isabs(given):
        yield Path(given)
    yield Path(f"/run/user/{os.getuid()}")
    yield Path(tempfile.gettempdir())
    yield Path("/tmp")  # noqa: S108 - the name is made private and checked before anything is put there


def _name(root: Path) -> str:
    digest = hashlib.sha256(os.fsencode(os.path.realpath(root))).hexdigest()
    return f"cloudburst-{os.getuid()}-{digest[:12]}"


def _is_short(directory: Path) -> bool:
    return len(os.fsencode(directory)) + _LONGEST_NAME <= LONGEST_SOCKET


def _check_private(directory: Path) -> None:
    """A directory in /tmp could have been put there by anybody: the owner and the mode must be right."""
    found = os.lstat(directory)
    if not stat.S_ISDIR(found.st_mode):
        trouble = "is not a directory"
    elif found.st_uid != os.getuid():
        trouble = f"belongs to another user (uid {found.st_uid})"
    elif found.st_mode & 0o077:
        trouble = "is open to other users"
    else:
        return
    raise ProviderError(
        f"the directory for sockets {directory} {trouble}", f"look at it, then: rm -rf {directory}"
    )
