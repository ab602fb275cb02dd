"""A study on hosts of the lab that are in no swarm: its file, its end by `kill -9`, and the traces it must not leave."""

from __future__ import annotations

import contextlib
import json
import secrets
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from .bare import BareHosts
from .fixture import _only_here, _require
from .host import Host
from .studies import Machines, Project, everywhere, jobs_that_wait

ON_HOSTS = (
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.xdist_group("bare_hosts"),
    pytest.mark.timeout(600, func_only=True),
)
"""The marks of a module of such tests."""

JOBS = """
import math, time

def work(n, pause, journal):
    with open(journal, "a") as file:
        file.write(f"{n}\\n")
    time.sleep(pause)
    return {"square": n * n, "sine": math.sin(n / 7)}
"""
OF_ONE_RUN = {"attempts", "started", "seconds", "worker", "journal"}


@pytest.fixture(scope="module")
def bare_hosts() -> Iterator[BareHosts]:
    """Four, which no swarm knows."""
    _require()
    with _only_here("bare"):
        started = BareHosts.start("first", "second", "third", "fourth")
        yield started
        started.stop()


@pytest.fixture
def bare_study(bare_hosts: BareHosts, tmp_path: Path) -> Iterator[Project]:
    """A study on nothing yet; when it ends, the hosts are as they were."""
    project = Project(bare_hosts, tmp_path / "here", f"own-{secrets.token_hex(3)}")
    project.place.mkdir()
    yield project
    project.end()
    for host in bare_hosts.hosts:
        if not host.is_on:
            host.power_on()
    project.run("destroy", "--yes", "--discard")
    project.forget_begun()
    for host in bare_hosts.hosts:
        host.sh("docker swarm leave --force || true; docker network rm docker_gwbridge || true")


def name(project: Project, *names: str, count: int = 60, pause: float = 0.0, **also: str) -> None:
    """Write the study for these hosts: `count` jobs which wait `pause` seconds each."""
    known = {host.name: host for host in project.lab.hosts}
    found = [f"root@{known[one].public_address}" for one in names]
    project.provider = {"ssh": {"hosts": found, **(also or {"network": "10.0.0.0/8"})}}
    project.write(jobs_that_wait(project.name, count, pause), {"jobs.py": JOBS})


def computed(project: Project) -> list[dict[str, str]]:
    """The table without what two runs need not have in common."""
    return [{key: row[key] for key in row.keys() - OF_ONE_RUN} for row in project.table()]


def swarm_of(host: Host) -> str:
    return host.docker("info", "--format", "{{.Swarm.LocalNodeState}}").strip()


def nodes(host: Host) -> dict[str, str]:
    listed = host.docker("node", "ls", "--format", "{{.Hostname}} {{.Status}}")
    assert len(listed.splitlines()) == len({line.split()[0] for line in listed.splitlines()}), listed
    return dict(line.split() for line in listed.splitlines())


def ready(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, "Ready")


def traces(host: Host) -> dict[str, Any]:
    """What a study on hosts must not leave on one."""
    return {
        "swarm": swarm_of(host),
        "networks": sorted(host.docker("network", "ls", "--format", "{{.Name}}").split()),
        "containers": host.docker("ps", "--all", "--quiet").split(),
        "volumes": [one for one in host.docker("volume", "ls", "--quiet").split() if one.startswith("cb-")],
    }


CLEAN = {"swarm": "inactive", "networks": ["bridge", "host", "none"], "containers": [], "volumes": []}


def assert_clean(hosts: Machines, *names: str) -> None:
    found = everywhere(hosts, traces)
    assert {name: found[name] for name in names or found} == dict.fromkeys(names or found, CLEAN)


# ── broken off ──────────────────────────────────────────────────────────────────────────────
def forming_killed(hosts: BareHosts, study: Project, elsewhere: Path, step: str, seconds: float) -> float:
    """Another machine goes on and the swarm is as it should be; then there is none. How long it took to go on."""
    name(study, "first", "second", "third")
    kill_at(study, ("apply", "--json"), step, seconds)
    other = study.elsewhere(elsewhere)
    began = time.monotonic()
    kill_at(other, ("apply", "--json"), "connecting to", 0.0)
    took = time.monotonic() - began
    assert nodes(hosts.manager) == ready("first", "second", "third")
    bound = '{{index .Options "com.docker.network.bridge.host_binding_ipv4"}}'
    for host in hosts.hosts[:3]:
        assert host.docker("network", "inspect", "docker_gwbridge", "--format", bound).strip() == "127.0.0.1"
    other.end()
    study.run("destroy", "--yes")
    assert_clean(hosts)
    return took


def parting_killed(hosts: BareHosts, study: Project, seconds: float) -> float:
    """The next `destroy` ends what the first one began; how long it took."""
    name(study, "first", "second", "third")
    kill_at(study, ("apply", "--json"), "connecting to", 0.0)
    destroying = study.start("destroy", "--yes")
    assert destroying.stderr is not None
    assert any("taking the swarm apart" in line for line in destroying.stderr)
    wait_for(destroying, seconds)
    destroying.kill()
    destroying.communicate()
    began = time.monotonic()
    study.run("destroy", "--yes")
    took = time.monotonic() - began
    assert_clean(hosts)
    return took


def kill_at(project: Project, arguments: Sequence[str], step: str, seconds: float) -> None:
    """`kill -9`, so many seconds after the command says that it begins this."""
    process = project.start(*arguments)
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line)
        if event["event"] == "doing" and step in event["detail"]:
            break
    else:
        pytest.fail(f"it ended before {step!r}: {process.stderr and process.stderr.read()}")
    wait_for(process, seconds)
    process.kill()
    process.communicate()


def wait_for(process: subprocess.Popen[str], seconds: float) -> None:
    """For a while, or until it has ended."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
