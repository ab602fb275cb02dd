"""The lab is what it says it is: a swarm whose hosts can be reached, broken and mended."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from lab import Host, Lab
from lab.commands import LabError, until
from lab.stock import PYTHON

SSH, SWARM, GOSSIP = 22, 2377, 7946


@dataclass(frozen=True)
class Pair:
    """A server on one node and a client on another, in one overlay network of the swarm."""

    server: Host
    client: Host
    name: str

    def ask(self) -> str:
        """What the client hears when it asks the server by name. Raises LabError when it hears nothing."""
        script = f"import urllib.request as u; print(u.urlopen('http://{self.name}-server:8000/', timeout=5).status)"
        return self.client.docker("exec", f"{self.name}-client", "python3", "-c", script).strip()

    def hears(self) -> bool:
        try:
            return self.ask() == "200"
        except LabError:
            return False


@pytest.fixture(scope="module")
def pair(lab: Lab) -> Iterator[Pair]:
    one = Pair(lab.workers[0], lab.workers[1], f"lab-test-{uuid.uuid4().hex[:6]}")
    lab.manager.docker("network", "create", "--driver", "overlay", "--attachable", one.name)
    for host, role, command in (
        (one.server, "server", ("python3", "-m", "http.server", "8000")),
        (one.client, "client", ("sleep", "infinity")),
    ):
        options = ("--init", "--network", one.name, "--name", f"{one.name}-{role}")
        host.docker("run", "--detach", *options, PYTHON, *command)
    until(one.hears, "the server answers")
    yield one
    for host, role in ((one.server, "server"), (one.client, "client")):
        host.docker("rm", "--force", f"{one.name}-{role}")
    until(lambda: _removed(lab, one.name), "the network is removed")


def _removed(lab: Lab, network: str) -> bool:
    try:
        lab.manager.docker("network", "rm", network)
    except LabError as error:
        return "not found" in str(error)
    return True


def test_every_host_is_a_ready_node_with_every_image(lab: Lab) -> None:
    assert set(lab.nodes().values()) == {"Ready"}
    images = {frozenset(host.docker("images", "--quiet", "--no-trunc").split()) for host in lab.hosts}
    assert len(images) == 1
    assert "influxdb:1.8" in lab.workers[-1].docker("images", "--format", "{{.Repository}}:{{.Tag}}").split()


def test_ssh_enters_every_host_by_the_pinned_key(lab: Lab) -> None:
    for host in lab.hosts:
        command = ["ssh", "-o", "BatchMode=yes", f"root@{host.public_address}", "hostname"]
        done = subprocess.run(
            command, env=dict(lab.environment()), capture_output=True, text=True, check=True
        )
        assert done.stdout == f"{host.name}\n"


def test_nothing_but_ssh_and_the_swarm_answers_from_outside(lab: Lab) -> None:
    assert lab.manager.reachable_ports() == (SSH,)
    assert lab.manager.reachable_ports(lab.manager.private_address) == (SSH, SWARM, GOSSIP)
    assert lab.workers[0].reachable_ports(lab.workers[0].private_address) == (SSH, GOSSIP)


def test_containers_of_two_nodes_talk_by_name(pair: Pair) -> None:
    assert pair.ask() == "200"


def test_a_host_without_egress_still_has_the_swarm(fragile: Lab, pair: Pair) -> None:
    reach = "timeout 5 bash -c 'exec 3<>/dev/tcp/deb.debian.org/80'"
    pair.client.sh(reach)
    pair.client.block_egress()
    with pytest.raises(LabError):
        pair.client.sh(reach)
    assert pair.ask() == "200"
    pair.client.allow_egress()
    pair.client.sh(reach)


def test_a_partition_is_felt_and_healed(fragile: Lab, pair: Pair) -> None:
    pair.server.partition()
    assert not pair.hears()
    until(lambda: fragile.nodes()[pair.server.name] == "Down", "the node is Down")
    pair.server.heal()
    fragile.wait_until_ready()


def test_a_killed_daemon_stays_down_until_it_is_started(fragile: Lab) -> None:
    host = fragile.workers[2]
    host.kill_daemon()
    until(lambda: fragile.nodes()[host.name] == "Down", "the node is Down")
    host.start_daemon()
    fragile.wait_until_ready()


def test_power_loss_keeps_the_disks(fragile: Lab) -> None:
    host = fragile.workers[2]
    host.sh("echo kept > /root/note")
    host.power_off()
    assert not host.is_on
    host.power_on()
    assert host.sh("cat /root/note") == "kept\n"
    fragile.wait_until_ready()


def test_a_small_volume_fills_up_for_the_container_that_uses_it(lab: Lab) -> None:
    host, volume = lab.workers[2], f"lab-test-{uuid.uuid4().hex[:6]}"
    host.small_volume(volume, 2)
    write = ("run", "--rm", "--volume", f"{volume}:/data", PYTHON, "sh", "-c", "date > $(mktemp -p /data)")
    host.docker(*write)
    host.fill(f"/var/lib/docker/volumes/{volume}/_data")
    with pytest.raises(LabError, match="No space left on device"):
        host.docker(*write)
    host.unfill(f"/var/lib/docker/volumes/{volume}/_data")
    host.docker(*write)
    host.sh(f"umount /var/lib/docker/volumes/{volume}/_data && docker volume rm {volume}")


def test_a_host_that_joins_later_becomes_a_node_and_can_leave(lab: Lab) -> None:
    before = lab.nodes()
    host = lab.add_worker()
    assert lab.nodes() == {**before, host.name: "Ready"}
    lab.remove_worker(host)
    assert lab.nodes() == before
    assert not host.directory.exists()
