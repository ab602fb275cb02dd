"""The fault matrix of a swarm: each fault befalls a study of short jobs and one of long jobs at the same moment.

Whatever happens, every row ends up in table, InfluxDB and files exactly once, nothing that was recorded is
computed again, and nothing waits longer than 90 s. How long it took stands in docs/faults.md.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest

from lab import Host, Lab

from .ordeal import SHORT_JOBS, Runs, Strike, Tell, endure, victims
from .pair import Pair

pytestmark = [pytest.mark.timeout(600), pytest.mark.faults]

OUT = 10.0
"""Seconds a node is switched off, or drained."""
CUT = 40.0
"""Seconds a partition lasts."""
REBOOT = 3.0
"""Seconds the manager is switched off."""


@dataclass(frozen=True)
class Fault:
    """`what` as the table says it. `short_jobs` are enough to see every slot come back. One that `spares` the
    workers costs no job: what they had at hand, or had ended, is kept."""

    name: str
    what: str
    strike: Strike
    short_jobs: int = SHORT_JOBS
    spares: bool = False


def kill_worker(pair: Pair, runs: Runs) -> float:
    host = victims(pair, runs[1])[0]
    moment = time.time()
    pair.kill("worker", host)
    return moment


def stop_worker(pair: Pair, runs: Runs) -> float:
    host = victims(pair, runs[1])[0]
    containers = [study.project.container("worker", host) for study in pair.both]
    moment = time.time()
    host.docker("stop", *containers)
    return moment


def kill_daemon(pair: Pair, runs: Runs) -> float:
    host = victims(pair, runs[1])[0]
    moment = time.time()
    host.kill_daemon(comes_back=True)
    return moment


def cut_power(pair: Pair, runs: Runs) -> float:
    return _off_and_on(*victims(pair, runs[1])[:1])


def cut_power_of_two(pair: Pair, runs: Runs) -> float:
    return _off_and_on(*victims(pair, runs[1])[:2])


def _off_and_on(*hosts: Host, seconds: float = OUT) -> float:
    moment = time.time()
    for host in hosts:
        host.power_off()
    time.sleep(seconds)
    for host in hosts:
        host.power_on()
    return moment


def cut_cables(pair: Pair, runs: Runs) -> float:
    host = victims(pair, runs[1])[0]
    moment = time.time()
    host.partition()
    time.sleep(CUT)
    host.heal()
    return moment


def drain(pair: Pair, runs: Runs) -> float:
    node = victims(pair, runs[1])[0].name
    moment = time.time()
    pair.lab.manager.docker("node", "update", "--availability", "drain", node)
    time.sleep(OUT)
    pair.lab.manager.docker("node", "update", "--availability", "active", node)
    return moment


def reboot_manager(pair: Pair, _: Runs) -> float:
    return _off_and_on(pair.lab.manager, seconds=REBOOT)


def kill(service: str) -> Strike:
    def strike(pair: Pair, _: Runs) -> float:
        moment = time.time()
        pair.kill(service)
        return moment

    return strike


FAULTS = (
    Fault("worker-killed", "a worker's container is killed", kill_worker),
    Fault("power-loss", f"a worker node loses power, for {OUT:g} s", cut_power, 3000),
    Fault("queue-killed", "the queue is killed", kill("queue"), spares=True),
    Fault("worker-stopped", "a worker's container is told to stop (`docker stop`)", stop_worker),
    Fault(
        "daemon-killed", "the Docker daemon of a worker node is killed, and comes back after 2 s", kill_daemon
    ),
    Fault("two-lose-power", f"two worker nodes lose power, for {OUT:g} s", cut_power_of_two, 3000),
    Fault("partition", f"a worker node is cut off for {CUT:g} s", cut_cables, 3000),
    Fault("drained", f"a worker node is drained, for {OUT:g} s", drain),
    Fault("controller-killed", "the controller is killed", kill("controller"), spares=True),
    Fault("gateway-killed", "the gateway (nginx) is killed", kill("gateway"), spares=True),
    Fault("influxdb-killed", "InfluxDB is killed", kill("influxdb"), spares=True),
    Fault("manager-reboot", f"the manager loses power, for {REBOOT:g} s", reboot_manager, 3000, spares=True),
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_nothing_is_lost_and_nothing_is_there_twice(
    pair: Pair, fragile: Lab, fault: Fault, tell: Tell
) -> None:
    short, long = endure(pair, fault.name, fault.strike, fault.short_jobs)
    assert not fault.spares or short.again == long.again == 0
    tell(fault.what, short, long)
