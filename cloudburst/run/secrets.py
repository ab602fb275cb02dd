"""The credentials of one deployment: files of mode 0600 in a directory of mode 0700, never arguments."""

from __future__ import annotations

import json
import os
import secrets as chance
from collections.abc import Mapping
from pathlib import Path

from ..errors import CloudBurstError
from ..secret import Secret

QUEUE_PASSWORD = "queue-password"  # noqa: S105 - the name of a file
FILES_TOKEN = "files-token"  # noqa: S105 - the name of a file
WORKER_TOKEN = "worker-token"  # noqa: S105 - the name of a file
API_TOKEN = "api-token"  # noqa: S105 - the name of a file
ENVIRONMENT = "environment.json"

NAMES = (QUEUE_PASSWORD, FILES_TOKEN, WORKER_TOKEN, API_TOKEN)

FOR_WORKERS = (QUEUE_PASSWORD, WORKER_TOKEN, ENVIRONMENT)
"""All that a worker node gets."""


def generate(
    directory: Path, *, environment: Mapping[str, str] | None = None, queue_password: Secret | None = None
) -> None:
    """Write new credentials over whatever was there.

    `environment` holds the values of `worker.env`; `queue_password` is given when somebody else
    runs the queue's server.
    """
    _private_directory(directory)
    for name in NAMES:
        _write(directory / name, chance.token_urlsafe(32))
    if queue_password is not None:
        _write(directory / QUEUE_PASSWORD, queue_password.reveal())
    _write(directory / ENVIRONMENT, json.dumps(dict(environment or {}), ensure_ascii=False))


def share_with_workers(directory: Path, into: Path) -> Path:
    """Copy what a worker node may know into a directory of its own; that directory."""
    _private_directory(into)
    for name in FOR_WORKERS:
        _write(into / name, _text(directory, name))
    return into


def read(directory: Path, name: str) -> Secret:
    """Raises CloudBurstError when there is no such file; an empty one is an empty secret."""
    return Secret(_text(directory, name).strip())


def _text(directory: Path, name: str) -> str:
    try:
        return (directory / name).read_text("utf-8")
    except OSError as error:
        raise CloudBurstError(
            f"the credential {name} cannot be read in {directory}: {error.strerror}",
            "`cloudburst apply` makes new credentials each time it starts",
        ) from error


def _private_directory(directory: Path) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)


def _write(path: Path, text: str) -> None:
    """Replaced whole, and never readable by others, not even for a moment."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(
        os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
    ) as file:
        file.write(text)
    os.replace(temporary, path)
