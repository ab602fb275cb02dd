"""How machines are recognised: against a real sshd, by the real ssh and ssh-keyscan."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from cloudburst.compile.fleet import Machine
from cloudburst.errors import ProviderError, Unreachable
from cloudburst.run.digitalocean.host_keys import HostKeys, host_tag, recognised, shown_by
from cloudburst.run.digitalocean.keys import PublicKey, Ring, make_key, public_half, read_public_key
from cloudburst.run.places import places
from cloudburst.run.ssh import Ssh
from tests.run.ssh_server import SshServer

MACHINE = Machine(
    id=17,
    name="cb-waves-manager",
    role="manager",
    size="s-1vcpu-1gb",
    region="nyc3",
    image="ubuntu-24-04-x64",
    status="active",
    hourly=Decimal("0.01"),
    created=0.0,
    public="127.0.0.1",
)


@pytest.fixture
def server() -> Iterator[SshServer]:
    place = Path(tempfile.mkdtemp(prefix="cb-"))
    one = SshServer(place)
    one.start()
    yield one
    one.stop()
    shutil.rmtree(place)


@pytest.fixture
def keys(tmp_path: Path) -> HostKeys:
    directory = tmp_path / "a place with 100% of blanks"
    directory.mkdir()
    return HostKeys(Ring(places(directory / "ensemble.yaml", "waves")))


def own(server: SshServer) -> PublicKey:
    key = read_public_key((server.place / "host.pub").read_text())
    assert key is not None
    return key


def known_by_tag(*good: PublicKey) -> Machine:
    return replace(MACHINE, tags=frozenset(host_tag(key) for key in good))


@pytest.mark.slow
def test_a_machine_shows_the_key_that_its_tag_names(server: SshServer) -> None:
    shown = shown_by("127.0.0.1", port=server.port)
    assert shown == (replace(own(server), comment=""),)
    assert recognised(known_by_tag(own(server)), shown) == shown


@pytest.mark.slow
def test_another_key_is_refused_and_both_are_named(server: SshServer, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other")
    with pytest.raises(ProviderError) as caught:
        recognised(known_by_tag(other), shown_by("127.0.0.1", port=server.port))
    assert own(server).shown in caught.value.message
    assert other.shown in caught.value.message
    assert "cb-waves-manager (id 17) at 127.0.0.1" in caught.value.message


def test_without_a_tag_nothing_is_believed(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="none is known to be its own"):
        recognised(MACHINE, [make_key(tmp_path / "any")])


def test_nobody_there_shows_nothing() -> None:
    assert shown_by("127.0.0.1", port=1) == ()


@pytest.mark.slow
def test_ssh_connects_to_the_believed_key_and_to_no_other(
    keys: HostKeys, server: SshServer, tmp_path: Path
) -> None:
    ring = Ring(places(tmp_path / "a place with 100% of blanks" / "ensemble.yaml", "waves"))
    ring.open()
    shutil.copy(server.place / "user", ring.key)
    shutil.copy(server.place / "user.pub", public_half(ring.key))
    machine = known_by_tag(own(server))
    for believed, lets_in in ((own(server), True), (make_key(tmp_path / "other"), False)):
        keys.believe(machine, [believed])
        keys.let_in(machine)
        link = Ssh(
            replace(keys.way_to(machine, port=server.port), user=server.user), server.place, patience=5.0
        )
        if lets_in:
            link.open()
            assert link.run(["echo", "in"], timeout=10).out == b"in\n"
            assert typed(keys.way_to(machine).shell_words, server) == "in\n"
        else:
            with pytest.raises(ProviderError, match="another one than before"):
                link.open()
        link.close()


def typed(words: str, server: SshServer) -> str:
    """What comes of the command that a person is told to type, to this port and as this user."""
    command = [*shlex.split(words), "-p", str(server.port), "-l", server.user, "echo", "in"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_person_is_told_a_short_command_and_the_machines_number(keys: HostKeys, tmp_path: Path) -> None:
    keys.believe(MACHINE, [make_key(tmp_path / "any")])
    way = keys.way_to(MACHINE)
    program, option, config, name = shlex.split(way.shell_words)
    assert (program, option, name) == ("ssh", "-F", "cb-waves-manager")
    assert "HostName=127.0.0.1" in Path(config).read_text()
    link = Ssh(replace(way, port=1), tmp_path, patience=2.0)
    with pytest.raises(
        Unreachable, match=r"^cb-waves-manager \(id 17\) cannot be reached: connection refused$"
    ):
        link.open()
    keys.forget(MACHINE)
    assert not Path(config).exists()


def test_a_key_whose_tag_is_gone_is_believed_no_more(keys: HostKeys, tmp_path: Path) -> None:
    old, new = make_key(tmp_path / "old"), make_key(tmp_path / "new")
    keys.believe(MACHINE, [old])
    assert keys.of(known_by_tag(old)) == (replace(old, comment=""),)
    assert keys.of(known_by_tag(new)) == ()


def test_what_was_planted_is_known_before_the_first_connection(keys: HostKeys, tmp_path: Path) -> None:
    planted = keys.plant()
    assert "PRIVATE KEY" in planted.private
    assert keys.of(replace(MACHINE, tags=frozenset({planted.tag}))) == (replace(planted.public, comment=""),)
    kept = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    assert "PRIVATE KEY" not in kept, "it is on its way to the machine, and nowhere else"


def test_a_machine_given_up_counts_as_archived_until_it_is_forgotten(keys: HostKeys) -> None:
    keys.give_up(MACHINE)
    assert [one.status for one in keys.given_up([MACHINE])] == ["archive"]
    keys.forget(MACHINE)
    assert [one.status for one in keys.given_up([MACHINE])] == ["active"]
