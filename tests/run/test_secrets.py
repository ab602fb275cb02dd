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
    assert len({secret.reveal() for secret in first.values()}) == len(secrets.NAMES)
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


def test_what_stands_keeps_its_credentials_and_its_generations() -> None:
    needed = ("api-token", "queue-password")
    first = secrets.complete(needed, {})
    of_first = secrets.generations(first, {}, {})
    assert secrets.complete(needed, first) == first
    assert secrets.generations(first, first, of_first) == of_first


def test_a_value_that_changed_is_a_new_generation_and_no_other() -> None:
    known = {"api-token": "a", "environment.json": "{}"}
    standing = secrets.generations(known, {}, {})
    now = secrets.generations({**known, "environment.json": '{"A": "1"}'}, known, standing)
    assert now["api-token"] == standing["api-token"]
    assert now["environment.json"] != standing["environment.json"]


def test_a_value_nobody_knows_any_more_is_a_new_generation() -> None:
    standing = {"api-token": "12345678"}
    assert secrets.generations({"api-token": "a"}, {}, standing) != standing


def test_credentials_of_a_standing_deployment_are_kept_for_the_next_command(tmp_path: Path) -> None:
    place = tmp_path / "swarm"
    secrets.keep(place, {"api-token": "a", "old": "b"}, {"api-token": "g1", "old": "g1"})
    secrets.keep(place, {"api-token": "a", "view-token": "v"}, {"api-token": "g1", "view-token": "g2"})
    assert set(modes(place).values()) == {0o700, 0o600}
    assert not (place / "old").exists()
    assert secrets.kept(place, {"api-token": "g1", "view-token": "another"}) == {"api-token": "a"}
    assert secrets.kept(tmp_path / "nowhere", {"api-token": "g1"}) == {}


def test_one_value_has_one_text() -> None:
    assert secrets.as_json({"b": 1, "a": "ü"}) == secrets.as_json({"a": "ü", "b": 1}) == '{"a": "ü", "b": 1}'
