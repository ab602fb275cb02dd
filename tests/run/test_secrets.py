from __future__ import annotations

import json
from pathlib import Path

import pytest

from cloudburst.errors import CloudBurstError
from cloudburst.run import secrets
from cloudburst.secret import Secret


def modes(directory: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in [directory, *directory.iterdir()]}


def test_credentials_are_new_each_time_and_nobody_elses(tmp_path: Path) -> None:
    place = tmp_path / "secrets"
    secrets.generate(place, environment={"LICENSE": "grün 1"})
    first = {name: secrets.read(place, name) for name in secrets.NAMES}
    assert len({secret.reveal() for secret in first.values()}) == 4
    assert all(len(secret.reveal()) >= 40 for secret in first.values())
    assert set(modes(place).values()) == {0o700, 0o600}
    assert json.loads((place / secrets.ENVIRONMENT).read_text("utf-8")) == {"LICENSE": "grün 1"}
    secrets.generate(place)
    assert all(secrets.read(place, name) != first[name] for name in secrets.NAMES)


def test_a_worker_gets_no_more_than_it_needs(tmp_path: Path) -> None:
    secrets.generate(tmp_path / "secrets", queue_password=Secret("given"))
    found = secrets.share_with_workers(tmp_path / "secrets", tmp_path / "secrets" / "worker")
    assert modes(found) == {"worker": 0o700} | dict.fromkeys(
        ["queue-password", "worker-token", "environment.json"], 0o600
    )
    assert secrets.read(found, secrets.QUEUE_PASSWORD) == Secret("given")


def test_a_missing_credential_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CloudBurstError, match="the credential api-token cannot be read"):
        secrets.read(tmp_path, secrets.API_TOKEN)
