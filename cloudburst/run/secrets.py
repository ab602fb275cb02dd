"""The credentials of one deployment: files of mode 0600 in a directory of mode 0700, never arguments."""

from __future__ import annotations

import json
import os
import secrets as chance
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..errors import CloudBurstError
from ..secret import Secret

QUEUE_PASSWORD = "queue-password"  # noqa: S105 - the name of a file
FILES_TOKEN = "files-token"  # noqa: S105 - the name of a file
WORKER_TOKEN = "worker-token"  # noqa: S105 - the name of a file
API_TOKEN = "api-token"  # noqa: S105 - the name of a file
VIEW_TOKEN = "view-token"  # noqa: S105 - the name of a file
INFLUXDB_PASSWORD = "influxdb-password"  # noqa: S105 - the name of a file
GRAFANA_PASSWORD = "grafana-password"  # noqa: S105 - the name of a file
ENVIRONMENT = "environment.json"
SINKS = "sinks.json"
QUEUE_CONF, GATEWAY_CONF = "queue.conf", "gateway.conf"
GENERATIONS = "generations.json"

NAMES = (QUEUE_PASSWORD, FILES_TOKEN, WORKER_TOKEN, API_TOKEN, VIEW_TOKEN)

GENERATED = (*NAMES, INFLUXDB_PASSWORD, GRAFANA_PASSWORD)
"""Those that nobody gives: made by chance."""

FOR_WORKERS = (QUEUE_PASSWORD, WORKER_TOKEN, ENVIRONMENT)
"""All that a worker node gets."""


def generate(
    directory: Path,
    *,
    environment: Mapping[str, str] | None = None,
    sinks: Mapping[str, Any] | None = None,
    queue_password: Secret | None = None,
) -> None:
    """Write new credentials over whatever was there.

    `environment` holds the values of `worker.env`, `sinks` what promised.py says of network sinks;
    `queue_password` is given when somebody else runs the queue's server.
    """
    _private_directory(directory)
    for name in NAMES:
        _write(directory / name, chance.token_urlsafe(32))
    if queue_password is not None:
        _write(directory / QUEUE_PASSWORD, queue_password.reveal())
    _write(directory / ENVIRONMENT, as_json(environment or {}))
    _write(directory / SINKS, as_json(sinks or {}))


def as_json(value: Mapping[str, Any]) -> str:
    """The one text of a value: a secret whose text changed is a new secret."""
    return json.dumps(dict(value), ensure_ascii=False, sort_keys=True)


def share_with_workers(directory: Path, into: Path) -> Path:
    """Copy what a worker node may know into a directory of its own; that directory."""
    _private_directory(into)
    for name in FOR_WORKERS:
        _write(into / name, _text(directory, name))
    return into


# ── of a deployment that outlives the command ────────────────────────────────────────────────
def complete(needed: Iterable[str], known: Mapping[str, str]) -> dict[str, str]:
    """name -> value: what is known stays as it is while a deployment stands; the rest is new."""
    return {name: known.get(name) or chance.token_urlsafe(32) for name in needed}


def generations(
    values: Mapping[str, str], known: Mapping[str, str], standing: Mapping[str, str]
) -> dict[str, str]:
    """name -> generation: the `standing` one where the value is what is `known` of it, else a new one."""
    return {
        name: standing[name] if name in standing and known.get(name) == value else new_generation()
        for name, value in values.items()
    }


def new_generation() -> str:
    return chance.token_hex(4)


def keep(directory: Path, values: Mapping[str, str], of: Mapping[str, str]) -> None:
    """Write down what a deployment's values are, and of which generation; nothing else stays there."""
    _private_directory(directory)
    for leftover in directory.iterdir():
        if leftover.name not in values:
            leftover.unlink()
    for name, value in values.items():
        _write(directory / name, value)
    _write(directory / GENERATIONS, as_json(of))


def kept(directory: Path, standing: Mapping[str, str]) -> dict[str, str]:
    """name -> value of those that are of the `standing` generations; of others this machine knows nothing."""
    try:
        of = json.loads((directory / GENERATIONS).read_text("utf-8"))
        known = [name for name, generation in standing.items() if of.get(name) == generation]
        return {name: (directory / name).read_text("utf-8") for name in known}
    except (OSError, ValueError, AttributeError):
        return {}


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
