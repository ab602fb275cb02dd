"""What a run made is written down, and goes away with it, however the run ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab import Lab, Size
from lab.commands import LabError, run, succeeds
from lab.ground import RECORD, abandoned, find
from lab.network import Network
from lab.stock import runs
from lab.swarm import clean

ROOT = Path(__file__).resolve().parents[2]


def _record(place: Path, slot: int, pid: int, started: int) -> Path:
    directory = place / f"{slot}-{pid}"
    directory.mkdir()
    (directory / RECORD).write_text(json.dumps({"slot": slot, "owner": [pid, started], "hosts": []}))
    return directory


def _own_start() -> int:
    return int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])


def test_only_a_run_whose_process_has_ended_is_abandoned(tmp_path: Path) -> None:
    running = _record(tmp_path, 0, os.getpid(), _own_start())
    ended = subprocess.Popen(["true"])
    ended.wait()
    killed = _record(tmp_path, 1, ended.pid, 1)
    another_took_its_number = _record(tmp_path, 2, os.getpid(), _own_start() - 1)
    assert [left.directory for left in abandoned(tmp_path)] == [killed, another_took_its_number]
    everyone = [left.directory for left in abandoned(tmp_path, everyone=True)]
    assert everyone == [running, killed, another_took_its_number]


def test_hosts_noted_at_the_same_time_have_numbers_of_their_own_and_none_comes_back_soon(
    tmp_path: Path,
) -> None:
    ground = find(_record(tmp_path, 7, os.getpid(), _own_start()))
    names = [f"host-{number}" for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        noted = list(pool.map(lambda name: ground.note(name, Size(), tmp_path, None), names))
    assert sorted(host.number for host in noted) == list(range(24))
    (directory,) = tmp_path.iterdir()
    record = json.loads((directory / RECORD).read_text())
    (directory / RECORD).write_text(json.dumps({**record, "hosts": record["hosts"][:2]}))
    assert ground.note("another", Size(), tmp_path, None).number == 24
    assert len({host.public_address for host in ground.hosts}) == 3


def test_a_host_may_call_itself_other_than_its_ground_does(tmp_path: Path) -> None:
    ground = find(_record(tmp_path, 7, os.getpid(), _own_start()))
    ground.note("droplet-1", Size(), tmp_path, None, hostname="cb-waves-manager")
    assert ground.host("cb-waves-manager") == ground.host("droplet-1")
    with pytest.raises(LabError, match="no host other: there are cb-waves-manager"):
        ground.host("other")


def test_labs_side_by_side_share_no_address() -> None:
    first, second = Network(0), Network(1)
    assert not first.public.overlaps(second.public)
    assert not first.private.overlaps(second.private)
    assert (str(first.public), str(first.private)) == ("198.18.77.0/24", "10.116.0.0/20")


def test_a_killed_lab_leaves_nothing_after_clean(lab: Lab) -> None:
    command = [sys.executable, "-m", "tests.lab", "start", "--workers", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        said = ""
        while "its files" not in said:
            said = process.stdout.readline()
            assert said, "the lab did not start"
        process.send_signal(signal.SIGKILL)
    directory = Path(said.split()[-1])
    slot = int(directory.name.partition("-")[0])
    assert Lab.attach(directory).manager.is_on
    assert clean() == (directory,)
    assert not directory.exists()
    assert not succeeds("ip", "link", "show", Network(slot).public_bridge)
    assert Network(slot).netns("manager") not in run("ip", "netns", "list")
    assert not list(Path("/sys/fs/cgroup").glob(f"*/cloudburst-lab-{slot}"))
    assert not list(runs().glob(f"{slot}-*"))
    assert lab.manager.is_on
