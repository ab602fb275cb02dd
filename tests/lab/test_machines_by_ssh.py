"""Machines one has: no swarm before, one while the study stands, none after, whatever happens in between."""

from __future__ import annotations

import signal
from pathlib import Path

from lab import Host
from lab.bare import BareHosts
from lab.commands import until
from lab.on_hosts import (
    ON_HOSTS,
    assert_clean,
    computed,
    forming_killed,
    name,
    nodes,
    parting_killed,
    ready,
    swarm_of,
)
from lab.studies import Following, Project, jobs_that_wait

pytestmark = [*ON_HOSTS]


# ── from nothing to nothing ──────────────────────────────────────────────────────────────────
def test_three_hosts_compute_what_one_machine_does_and_are_as_before_when_it_is_destroyed(
    bare_hosts: BareHosts, bare_study: Project, tmp_path: Path
) -> None:
    name(bare_study, "first", "second", "third")
    bare_study.run("apply")
    here = bare_study.elsewhere(tmp_path / "local", provider="local")
    here.write(jobs_that_wait(bare_study.name, 60, 0.0), {})
    here.run("apply")
    Path(f"/var/tmp/{bare_study.name}.begun").unlink()
    assert computed(bare_study) == computed(here)
    assert len(bare_study.table()) == 60
    assert nodes(bare_hosts.manager) == ready("first", "second", "third")
    assert {row["worker"].split("/")[0] for row in bare_study.table()} <= {"second", "third"}
    before = bare_study.tasks()
    assert "Nothing to do" in bare_study.said("apply")
    assert bare_study.tasks() == before
    only_ssh_outside(bare_hosts.manager)
    only_ssh_outside(bare_hosts.hosts[1])
    bare_study.run("destroy", "--yes")
    assert_clean(bare_hosts)
    assert computed(bare_study) == computed(here)
    assert "nothing to remove" in bare_study.run("destroy", "--yes")


def only_ssh_outside(host: Host) -> None:
    """Ports that answer at the public address, and whatever listens there without an answer."""
    assert host.reachable_ports() == (22,)
    listening = host.sh("ss --no-header --listening --numeric --udp | awk '{print $4}'").split()
    assert [one for one in listening if not one.startswith((host.private_address, "127.", "[::1]"))] in (
        [],
        ["0.0.0.0:4789"],  # the kernel's own VXLAN socket, which knows no address; see the firewall's rules
    )


def test_a_host_comes_and_two_go_while_jobs_run(bare_hosts: BareHosts, bare_study: Project) -> None:
    name(bare_study, "first", "second", "third", count=80, pause=1.0)
    following = Following(bare_study.start("apply", "--json"))
    following.until_done(10)
    following.process.send_signal(signal.SIGINT)
    assert following.finish(130)["state"] == "let go"
    name(bare_study, "first", "fourth", count=80, pause=1.0)
    assert "emptying second, third" in bare_study.said("apply")
    assert nodes(bare_hosts.manager) == ready("first", "fourth")
    assert_clean(bare_hosts, "second", "third")
    assert {row["status"] for row in bare_study.table()} == {"done"}
    assert len(bare_study.table()) == 80
    assert {row["attempts"] for row in bare_study.table()} == {"1"}
    assert {row["worker"].split("/")[0] for row in bare_study.table()} == {"second", "third", "fourth"}
    name(bare_study, "first", count=90)
    bare_study.run("apply")
    assert nodes(bare_hosts.manager) == ready("first")
    assert {row["worker"].split("/")[0] for row in bare_study.table()[80:]} == {"first"}
    assert_clean(bare_hosts, "second", "third", "fourth")
    bare_study.run("destroy", "--yes")
    assert_clean(bare_hosts)


# ── broken off ───────────────────────────────────────────────────────────────────────────────
def test_killed_while_forming_another_machine_goes_on(
    bare_hosts: BareHosts, bare_study: Project, tmp_path: Path
) -> None:
    forming_killed(bare_hosts, bare_study, tmp_path / "other", "taking in", 0.1)


def test_killed_while_taking_it_apart_the_next_destroy_ends_it(
    bare_hosts: BareHosts, bare_study: Project
) -> None:
    parting_killed(bare_hosts, bare_study, 0.2)


# ── machines that are not as they should be ──────────────────────────────────────────────────
def test_a_host_in_another_swarm_is_refused_and_nothing_is_touched(
    bare_hosts: BareHosts, bare_study: Project
) -> None:
    third, fourth = bare_hosts.host("third"), bare_hosts.host("fourth")
    third.docker("swarm", "init", "--advertise-addr", third.private_address)
    token = third.docker("swarm", "join-token", "--quiet", "worker").strip()
    fourth.docker("swarm", "join", "--token", token, f"{third.private_address}:2377")
    for named, sentence in (
        (("first", "second", "third"), "manages a swarm that CloudBurst did not make"),
        (("first", "second", "fourth"), f"in another swarm already, the one of {third.private_address}:2377"),
        (("third", "first"), "manages a swarm that CloudBurst did not make"),
        (("fourth", "first"), "in another swarm already"),
    ):
        name(bare_study, *named)
        said = bare_study.said("apply", code=1)
        assert sentence in said
        assert "provider: {swarm: {host:" in said
        assert nodes(third) == ready("third", "fourth")
        assert_clean(bare_hosts, "first", "second")
    name(bare_study, "third", "first")
    assert "removed from" not in bare_study.run("destroy", "--yes")
    assert nodes(third) == ready("third", "fourth")


def test_what_keeps_hosts_from_being_a_swarm_is_said(bare_hosts: BareHosts, bare_study: Project) -> None:
    name(bare_study, "first", "second", network="192.168.7.0/24")
    assert "has no address in 192.168.7.0/24: it has " in bare_study.said("apply", code=1)
    second = bare_hosts.host("second")
    second.stop_daemon()
    name(bare_study, "first", "second")
    assert "Docker does not run on ssh://root@" in bare_study.said("apply", code=1)
    second.start_daemon()
    assert_clean(bare_hosts)
    closed = "iptables -{} INPUT -p tcp --dport 2377 -j DROP"
    first = bare_hosts.manager
    first.sh(closed.format("I"))
    said = bare_study.said("apply", code=1)
    first.sh(closed.format("D"))
    assert f"does not get into the swarm of root@{first.public_address}" in said
    assert "2377/tcp, 7946/tcp and udp, 4789/udp" in said
    assert swarm_of(second) == "inactive"


def test_a_host_that_was_away_or_was_made_anew_is_taken_in_again(
    bare_hosts: BareHosts, bare_study: Project
) -> None:
    name(bare_study, "first", "second", "third")
    bare_study.run("apply")
    second, third = bare_hosts.host("second"), bare_hosts.host("third")
    # made anew: the machine knows nothing, the swarm still has its node
    second.sh("docker swarm leave --force; docker network rm docker_gwbridge")
    third.power_off()
    name(bare_study, "first", "second", "third", count=70)
    said = bare_study.said("apply")
    assert "it is left as it is" in said
    until(
        lambda: nodes(bare_hosts.manager) == {**ready("first", "second"), "third": "Down"},
        "third is down",
        60,
    )
    # named no more while it cannot be told: the swarm lets go of it
    name(bare_study, "first", "second", count=80)
    assert "it takes itself for a member still" in bare_study.said("apply")
    assert nodes(bare_hosts.manager) == ready("first", "second")
    third.power_on()
    name(bare_study, "first", "second", "third", count=90)
    bare_study.run("apply")
    assert nodes(bare_hosts.manager) == ready("first", "second", "third")
    assert len(bare_study.table()) == 90
    bare_study.run("destroy", "--yes")
    assert_clean(bare_hosts)
