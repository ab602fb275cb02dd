"""Which hosts a study names, and where they reach each other."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

import pytest

from cloudburst.errors import ProviderError, Unreachable
from cloudburst.run.clusters import connected, make_cluster, way_to_manager
from cloudburst.run.contexts import SshDocker
from cloudburst.run.destroy import standing_afar
from cloudburst.run.events import StopSignal
from cloudburst.run.networks import Networks
from cloudburst.run.observe import Study, read_study
from cloudburst.run.providers.ssh import SshCluster, find_address
from cloudburst.run.run_lock import hold

SPEC = """
cloudburst: 1
name: waves
worker: {{directory: worker, entrypoint: "waves:work"}}
parameters: {{grid: {{a: [1, 2]}}}}
cluster: {{provider: {{ssh: {{hosts: [{hosts}]}}}}}}
"""

OWN = Networks(
    local=tuple(map(IPv4Network, ("10.0.3.7", "127.0.0.0/8", "127.0.0.1", "198.51.100.7"))),
    linked=(IPv4Network("10.0.0.0/16"), IPv4Network("198.51.100.0/24")),
    reached_at="198.51.100.7",
)


def study(place: Path, hosts: str) -> Study:
    (place / "worker").mkdir()
    (place / "worker" / "waves.py").write_text("def work(a):\n    return a\n")
    (place / "ensemble.yaml").write_text(SPEC.format(hosts=hosts))
    return read_study(place / "ensemble.yaml")


@pytest.mark.parametrize(
    ("host", "docker"),
    [
        ("me@big-box", SshDocker("big-box", "me")),
        ('"me@lab-2:2222"', SshDocker("lab-2", "me", 2222)),
        ("Lab-3", SshDocker("Lab-3")),
        ('"ssh://root@10.0.0.1"', SshDocker("10.0.0.1", "root")),
    ],
)
def test_the_first_host_manages(tmp_path: Path, host: str, docker: SshDocker) -> None:
    found = study(tmp_path, f"{host}, root@10.9.9.9")
    assert way_to_manager(found.ensemble, found.places) == docker


def test_a_study_on_hosts_has_a_cluster_that_goes_on_without_us(tmp_path: Path) -> None:
    found = study(tmp_path, "me@big-box")
    found.places.root.mkdir(parents=True)
    with hold(found.places.lock, study="waves") as lock:
        cluster = make_cluster(found, lock, lambda _: None, StopSignal())
    assert isinstance(cluster, SshCluster)
    assert cluster.outlives_us


def test_hosts_talk_where_ssh_came_in_or_in_the_network_that_is_named() -> None:
    assert find_address("a", OWN, None) == "198.51.100.7"
    assert find_address("a", OWN, "10.0.0.0/8") == "10.0.3.7"


def test_a_host_without_an_address_in_the_network_says_which_it_has() -> None:
    with pytest.raises(ProviderError, match=r"a has no address in 192\.168\.0\.0/24") as raised:
        find_address("a", OWN, "192.168.0.0/24")
    assert "it has 10.0.3.7 and 198.51.100.7" in raised.value.message


@pytest.mark.parametrize("at", ["", "127.0.0.1"])
def test_a_host_that_ssh_reaches_by_a_tunnel_or_by_ipv6_needs_a_network(at: str) -> None:
    with pytest.raises(ProviderError, match="an address that is none for other machines") as raised:
        find_address("a", Networks(OWN.local, OWN.linked, reached_at=at), None)
    assert "`network: 10.0.0.0/24` beside `hosts`" in raised.value.hint


def test_a_host_that_is_away_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "ssh").write_text(
        "#!/bin/sh\necho 'ssh: connect to host big-box port 22: No route to host' >&2\nexit 255\n"
    )
    (programs / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    found = study(tmp_path, "me@big-box")
    with pytest.raises(Unreachable, match="ssh://me@big-box cannot be reached: no route to host"):
        connected(found).__enter__()
    with pytest.raises(Unreachable, match="no route to host") as raised:
        standing_afar(found.ensemble, found.places).__enter__()
    assert "cloudburst destroy --local" in raised.value.hint
