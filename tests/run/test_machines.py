"""Several machines by ssh at the same time, and leaving them all at once: a real sshd on this machine."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudburst.errors import ProviderError
from cloudburst.run.contexts import HereDocker, SshDocker
from cloudburst.run.events import StopSignal
from cloudburst.run.machines import Machines
from cloudburst.run.places import Places, find_runtime_directory, places

from .played_dockers import World
from .ssh_server import SshServer

NOWHERE = SshDocker("nowhere.invalid", options=("ProxyCommand=false",), name="nowhere")


@pytest.fixture
def place(tmp_path: Path) -> Places:
    return places(tmp_path / "ensemble.yaml", "waves")


@pytest.fixture
def far(short: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshServer]:
    home = short / "far"
    home.mkdir()
    server = SshServer(home)
    server.start()
    monkeypatch.setenv("PATH", f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}")
    yield server
    server.stop()


def test_each_is_asked_and_who_is_away_is_told(short: Path, place: Places) -> None:
    world = World(short, "a", "b")
    with Machines(place, StopSignal()) as machines:
        dockers = {"a": world.at("a"), "nowhere": NOWHERE, "b": world.at("b")}
        away = machines.reach(dockers)
        assert list(away) == ["nowhere"]
        assert "nowhere" not in machines
        names = machines.each(["b", "a"], lambda name: machines[name].standing().name)
        assert names == {"b": "b", "a": "a"}
        assert machines.reach({"a": world.at("a")}) == {}
        assert machines.reach({"nowhere": world.at("a")}) == away, "it is not tried again"
    assert find_runtime_directory(place.root) is None
    world.close()


def test_the_first_in_order_is_raised_when_several_refuse(short: Path, place: Places) -> None:
    def refuse(name: str) -> None:
        raise ProviderError(name)

    with Machines(place, StopSignal()) as machines:
        machines.reach({name: HereDocker(str(short / name)) for name in "abc"})
        with pytest.raises(ProviderError, match=r"^b$"):
            machines.each("bca", refuse)
        ended = machines.attempt("ca", refuse)
        assert [str(end) for end in ended.values()] == ["c", "a"]


@pytest.mark.slow
def test_whoever_wants_to_stop_need_not_wait_for_a_docker_that_is_silent(
    far: SshServer, place: Places
) -> None:
    stop, asked = StopSignal(), threading.Event()
    with socket.socket(socket.AF_UNIX) as mute, Machines(place, stop) as machines:
        mute.bind(far.docker.socket)
        mute.listen()
        assert machines.reach({"far": far.docker}) == {}

        def hear() -> None:
            connection, _ = mute.accept()
            with connection:
                asked.set()
                stop.raise_level()
                while connection.recv(1024):
                    pass

        listener = threading.Thread(target=hear, daemon=True)
        listener.start()
        with pytest.raises(KeyboardInterrupt):
            machines.each(["far"], lambda name: machines[name].standing())
        assert asked.is_set()
        assert "far" not in machines
    listener.join(10)
    assert find_runtime_directory(place.root) is None
