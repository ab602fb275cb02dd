from __future__ import annotations

import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cloudburst.errors import ProviderError
from cloudburst.run.places import (
    find_runtime_directory,
    places,
    prepare,
    runtime_directory,
    socket_directory,
)


def test_places_are_arithmetic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = places(Path("studies/net 3.yaml"), "net3")
    assert found.ledger == tmp_path / "studies/.cloudburst/net3/ledger.sqlite"
    assert found.lock == tmp_path / "studies/.cloudburst/net3/run.lock"
    assert found.lock_file == tmp_path / "studies/net 3.lock"
    assert found.table == tmp_path / "studies/results/net3.csv"
    assert not (tmp_path / "studies").exists()


def test_the_state_directory_ignores_itself_and_keeps_secrets_private(tmp_path: Path) -> None:
    found = places(tmp_path / "ensemble.yaml", "net3")
    prepare(found)
    prepare(found)
    assert (tmp_path / ".cloudburst/.gitignore").read_text() == "*\n"
    assert {found.secrets.stat().st_mode & 0o777, found.queue.stat().st_mode & 0o777} == {0o700}


@pytest.fixture
def runtime(short: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short))
    return short


def test_a_socket_fits_whatever_the_projects_path(tmp_path: Path, runtime: Path) -> None:
    deep = tmp_path.joinpath(*["sehr lange Wörter " * 10] * 8)
    directory = runtime_directory(deep)
    assert directory.parent == runtime
    assert directory.stat().st_mode & 0o777 == 0o700
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(directory / "file-store-node-000.sock"))


def test_every_command_finds_the_same_directory(
    tmp_path: Path, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_runtime_directory(tmp_path / "a") is None
    made = runtime_directory(tmp_path / "a")
    (tmp_path / "link").symlink_to(tmp_path)
    assert runtime_directory(tmp_path / "link" / "a") == made
    assert runtime_directory(tmp_path / "b") != made
    assert find_runtime_directory(tmp_path / "a") == made


def test_without_a_runtime_directory_it_is_the_temporary_one(
    tmp_path: Path, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / ("x" * 80)))
    monkeypatch.setattr("tempfile.tempdir", str(short))
    made = runtime_directory(tmp_path / "a")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "")
    assert runtime_directory(tmp_path / "a") == made
    made.rmdir()


@pytest.mark.parametrize(
    "trouble", ["is not a directory", "is open to other users", "belongs to another user"]
)
def test_what_somebody_else_could_have_planted_is_refused(
    tmp_path: Path, runtime: Path, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = runtime_directory(tmp_path)
    if "other users" in trouble:
        made.chmod(0o777)
    elif "directory" in trouble:
        made.rmdir()
        made.symlink_to(tmp_path)
    else:
        real = os.lstat

        def of_another(path: object) -> os.stat_result:
            fields = list(real(path))  # type: ignore[call-overload]
            fields[4] += 1
            return os.stat_result(fields)

        monkeypatch.setattr(os, "lstat", of_another)
    with pytest.raises(ProviderError, match=trouble):
        runtime_directory(tmp_path)


def test_connections_that_end_do_not_take_the_directory_from_those_that_begin(tmp_path: Path) -> None:
    """The last one to end removes it, in whichever thread."""

    def connect(_: int) -> bool:
        with socket_directory(tmp_path) as directory:
            return directory.is_dir()

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(connect, range(400)))
    assert find_runtime_directory(tmp_path) is None
