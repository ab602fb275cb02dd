"""One study on rented machines from nothing to nothing: computed, seen, guarded, scaled, taken over, given back.

The tests are the chapters of one session on one account, in this order. The account is the imitation's; its
droplets are hosts of the lab.
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloudburst.compile.switch import CONFIG_PATH, TOKEN_PATH
from lab import Host
from lab.commands import until
from lab.metadata import METADATA_CHECK, closes_metadata
from lab.rented import RentedLab
from lab.studies import Project, everywhere

pytestmark = pytest.mark.timeout(600)

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
OF_ONE_RUN = {"attempts", "started", "seconds", "worker"}
"""The columns of a table that two runs of the same jobs need not have in common."""
REAPER = "REAPER_TOKEN"
PORTS = (22, 80, 443, 2375, 2376, 2377, 3000, 4789, 6379, 7946, 8080, 8086, 9181)
"""What listens on a swarm's nodes, and what would if somebody published it."""


# ── the session's study ──────────────────────────────────────────────────────────────────────
@dataclass
class Rental:
    """A study that rents, as the user has it: `keys` is the environment in which its agent is found."""

    lab: RentedLab
    study: Project
    keys: dict[str, Any]
    seen: list[str] = field(default_factory=list)

    def apply(self, workers: int) -> str:
        """What `apply` says with so many workers; what is in process lists meanwhile is remembered in `seen`."""
        self.write(workers)
        with process_lists(self.tokens(), self.seen):
            return self.study.said("apply", "--yes", **self.keys)

    def write(self, workers: int) -> None:
        self.study.write(net3_spec(workers))

    def tokens(self) -> tuple[str, ...]:
        return (self.lab.imitation.token, self.keys[REAPER])

    def names(self) -> set[str]:
        """Of the droplets that stand."""
        return {one.name for one in self.lab.imitation.account.standing()}

    def machine(self, name: str) -> str:
        return f"cb-{self.study.name}-{name}"


def net3_spec(workers: int) -> dict[str, Any]:
    spec: dict[str, Any] = yaml.safe_load((EXAMPLES / "ensemble.yaml").read_text())
    spec["worker"] |= {"stop_grace": "5s", "timeout": "10m"}
    spec["cluster"] |= {"slots": 2, "workers": workers, "ttl": "2h", "reaper_token": REAPER}
    spec["results"] = [{"table": {"path": "results/table.csv"}}]
    return spec


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a user whose agent holds a key."""
    place = tmp_path_factory.mktemp("user")
    socket = Path("/tmp") / f"cb-agent-{secrets.token_hex(4)}"
    key = place / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    said = subprocess.run(
        ["ssh-agent", "-s", "-a", str(socket)], check=True, capture_output=True, text=True
    ).stdout
    variables = {"SSH_AUTH_SOCK": str(socket)}
    subprocess.run(["ssh-add", "-q", str(key)], check=True, env={**os.environ, **variables})
    yield variables
    os.kill(int(said.partition("SSH_AGENT_PID=")[2].partition(";")[0]), signal.SIGTERM)
    socket.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def rental(
    rented_lab: RentedLab, agent: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Rental]:
    place = tmp_path_factory.mktemp("here")
    left_out = shutil.ignore_patterns("__pycache__", "results", ".cloudburst")
    shutil.copytree(EXAMPLES / "net3", place / "net3", ignore=left_out)
    study = rented_lab.project(place, f"rent-{secrets.token_hex(2)}")
    reaper = rented_lab.imitation.grant("droplet:read", "droplet:delete")
    yield Rental(rented_lab, study, {**agent, REAPER: reaper})
    study.end()
    rented_lab.clear()


# ── rented and computed ──────────────────────────────────────────────────────────────────────
def test_without_anybody_to_agree_nothing_is_rented(rental: Rental) -> None:
    rental.write(3)
    assert "nobody to ask" in rental.study.said("apply", code=2, **rental.keys)
    assert rental.lab.imitation.account.left() == []


def test_from_nothing_to_the_same_table_as_on_one_machine(rental: Rental, tmp_path: Path) -> None:
    rental.apply(3)
    assert rental.names() == {rental.machine(one) for one in ("manager", "worker-1", "worker-2", "worker-3")}
    here = rental.study.elsewhere(tmp_path, provider="local")
    here.write(net3_spec(3))
    here.run("apply", "--local")
    assert len(rental.study.table()) == 200
    assert computed(rental.study) == computed(here)


def test_applied_again_nothing_is_rented_and_no_task_restarts(rental: Rental) -> None:
    before, ids = rental.study.tasks(), {one.id for one in rental.lab.imitation.account.standing()}
    assert "Nothing to do: 200 jobs done before." in rental.apply(3)
    assert rental.study.tasks() == before
    assert {one.id for one in rental.lab.imitation.account.standing()} == ids


def test_status_says_what_it_costs_and_when_it_stops(rental: Rental) -> None:
    said = json.loads(rental.study.run("status", "--json", **rental.keys))
    assert {one["name"] for one in said["rental"]["machines"]} == rental.names()
    assert said["rental"]["spent"] > 0
    assert said["rental"]["switch"]["stage"] == "armed"
    assert said["rental"]["switch"]["why"] == "ttl"


def test_every_result_is_known_to_be_safe(rental: Rental) -> None:
    told = json.loads(rental.lab.host(rental.machine("manager")).sh(f"cat {CONFIG_PATH}"))
    activity = json.loads(rental.lab.host(rental.machine("manager")).sh(f"cat {told['activity']}"))
    assert activity["fetched"] >= activity["last"] > 0


# ── guarded ──────────────────────────────────────────────────────────────────────────────────
def test_only_ssh_answers_and_only_who_was_let_in(rental: Rental) -> None:
    fleet = rental.lab.fleet(rental.study.name)
    for host in fleet.hosts:
        assert host.reachable_ports(ports=PORTS) == (22,)
        other = next(one for one in fleet.hosts if one.name != host.name)
        knock = f"timeout 2 bash -c 'exec 3<>/dev/tcp/{host.public_address}/22' 2>/dev/null"
        assert other.sh(f"if {knock}; then echo in; else echo out; fi").strip() == "out"


def test_containers_reach_no_metadata_and_published_ports_would_stay_inside(rental: Rental) -> None:
    for host in rental.lab.fleet(rental.study.name).hosts:
        assert closes_metadata(host.sh(shlex.join(METADATA_CHECK)))
        options = json.loads(
            host.docker("network", "inspect", "docker_gwbridge", "--format", "{{json .Options}}")
        )
        assert options["com.docker.network.bridge.host_binding_ipv4"] == "127.0.0.1"


def test_each_machine_shows_a_host_key_that_was_in_no_user_data(rental: Rental) -> None:
    account = rental.lab.imitation.account
    planted = {public_key_of(one.user_data) for one in account.standing()}
    shown = {host.sh("cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub") for host in hosts_of(rental)}
    assert len(shown) == len(account.standing())
    assert not shown & planted
    for one in account.standing():
        assert len([tag for tag in one.tags if tag.startswith("cb-host:")]) == 1


def test_the_tokens_are_nowhere_but_where_they_belong(rental: Rental) -> None:
    for token in rental.tokens():
        assert not any(token in one.user_data for one in rental.lab.imitation.account.standing())
        found = everywhere(rental.lab.fleet(rental.study.name), lambda host, t=token: files_with(host, t))
        reaper = {TOKEN_PATH} if token == rental.keys[REAPER] else set()
        assert {name: set(files) for name, files in found.items()} == {
            host.name: (reaper if host == rental.lab.host(rental.machine("manager")) else set())
            for host in hosts_of(rental)
        }
        here = subprocess.run(
            ["grep", "-rlF", "--", token, str(rental.study.place)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert here.stdout == ""
        assert token not in rental.study.said("plan", "--json", **rental.keys)
    assert rental.seen == [], "in the arguments of a process"


# ── scaled ───────────────────────────────────────────────────────────────────────────────────
def test_five_workers_then_two_with_the_same_manager(rental: Rental) -> None:
    account = rental.lab.imitation.account
    manager = account.droplet(rental.machine("manager")).id
    rental.apply(5)
    assert rental.names() == {
        rental.machine(one) for one in ("manager", *(f"worker-{n}" for n in range(1, 6)))
    }
    until(lambda: nodes(rental) == rental.names(), "every machine is a node, and Ready", 60)
    rental.apply(2)
    assert rental.names() == {rental.machine(one) for one in ("manager", "worker-1", "worker-2")}
    until(lambda: nodes(rental) == rental.names(), "every machine is a node, and Ready", 60)
    assert account.droplet(rental.machine("manager")).id == manager


def test_a_machine_that_was_switched_off_is_switched_on_again(rental: Rental) -> None:
    host = rental.lab.host(rental.machine("worker-1"))
    host.power_off()
    assert "power on" in rental.apply(2)
    assert host.is_on


# ── taken over ───────────────────────────────────────────────────────────────────────────────
def test_another_machine_with_the_users_key_alone_sees_it_all_and_gives_it_back(
    rental: Rental, tmp_path: Path
) -> None:
    other = rental.study.elsewhere(tmp_path / "there")
    home = tmp_path / "home"
    home.mkdir()
    variables: dict[str, Any] = {**rental.keys, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    assert json.loads(other.run("status", "--json", **variables))["counts"]["done"] == 200
    assert other.run("results", **variables) == rental.study.run("results", **rental.keys)
    stranger = {name: value for name, value in variables.items() if name != "SSH_AUTH_SOCK"}
    nobody = rental.study.elsewhere(tmp_path / "nobody")
    assert "does not let us in" in nobody.said("destroy", "--yes", code=1, **stranger)
    assert len(rental.names()) == 3, "nothing is removed while results cannot be fetched"
    said = other.said("destroy", "--yes", **variables)
    assert "have cost" in said
    assert rental.lab.imitation.account.left() == []
    assert computed(other) == computed(rental.study)


def test_destroyed_elsewhere_it_is_as_if_it_had_been_destroyed_here(rental: Rental) -> None:
    rental.study.run("destroy", "--yes", **rental.keys)
    assert not (rental.study.place / ".cloudburst" / rental.study.name / "secrets").exists()
    assert len(rental.study.table()) == 200
    rental.lab.machines.settle()
    assert rental.lab.traces() == []


# ── broken off ───────────────────────────────────────────────────────────────────────────────
def test_killed_while_machines_come_up_apply_goes_on_and_destroy_removes(rental: Rental) -> None:
    rental.study.write({**net3_spec(1), "parameters": small()})
    account = rental.lab.imitation.account
    killed_while_machines_come_up(rental)
    ids = {one.id for one in account.standing()}
    assert len(ids) == 2
    rental.study.run("apply", "--yes", **rental.keys)
    assert {one.id for one in account.standing()} == ids, "no machine was rented twice"
    rental.study.run("destroy", "--yes", **rental.keys)
    assert account.left() == []


def test_killed_before_anything_could_be_recorded_destroy_needs_no_results(rental: Rental) -> None:
    account = rental.lab.imitation.account
    rental.study.write({**net3_spec(1), "parameters": small(7)})
    killed_while_machines_come_up(rental)
    assert len(account.standing()) == 2
    assert "no results to fetch" in rental.study.said("destroy", "--yes", **rental.keys)
    assert account.left() == []


# ── looking ──────────────────────────────────────────────────────────────────────────────────
def small(n: int = 3) -> dict[str, Any]:
    """A handful of rows nobody has computed before."""
    parameters: dict[str, Any] = yaml.safe_load((EXAMPLES / "ensemble.yaml").read_text())["parameters"]
    return {**parameters, "grid": {**parameters["grid"], "demand": [1.5 + n / 100]}}


def killed_while_machines_come_up(rental: Rental) -> None:
    """`kill -9` of an `apply` whose machines are there and not ready yet."""
    process = rental.study.start("apply", "--yes", "--json", **rental.keys)
    assert process.stdout is not None
    for line in process.stdout:
        if "waiting for ssh" in line or "installing" in line:
            break
    process.kill()
    process.communicate()


def hosts_of(rental: Rental) -> tuple[Host, ...]:
    return rental.lab.fleet(rental.study.name).hosts


def computed(study: Project) -> list[dict[str, str]]:
    return [{name: value for name, value in row.items() if name not in OF_ONE_RUN} for row in study.table()]


def nodes(rental: Rental) -> set[str]:
    """The names of the swarm's nodes that are Ready."""
    listed = rental.lab.fleet(rental.study.name).manager.docker(
        "node", "ls", "--format", "{{.Hostname}} {{.Status}}"
    )
    return {line.split()[0] for line in listed.splitlines() if line.endswith("Ready")}


def public_key_of(user_data: str) -> str:
    """The host key that a machine's first instructions planted."""
    key: str = json.loads(user_data.partition("\n")[2])["ssh_keys"]["ed25519_public"]
    return " ".join(key.split()[:2])


def files_with(host: Host, token: str) -> list[str]:
    """Where on a machine a text stands: files, process lists, environments. The text itself comes by stdin."""
    script = (
        "read -r token; "
        'printf %s "$token" | grep -rlsF -f - /etc /root /home /tmp /run /var/log /var/lib/cloudburst '
        "/var/lib/cloud /usr/local; "
        'for one in /proc/[0-9]*/cmdline /proc/[0-9]*/environ; do printf %s "$token" | grep -qsF -f - "$one" '
        '&& echo "$one"; done; true'
    )
    return host.sh(script, stdin=f"{token}\n").split()


@contextmanager
def process_lists(tokens: tuple[str, ...], seen: list[str]) -> Iterator[None]:
    """Reads the arguments of every process here, over and over; those that hold a token are remembered."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            for one in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    said = one.read_bytes().decode("utf-8", "replace")
                except OSError:
                    continue
                if any(token in said for token in tokens):
                    seen.append(said.replace("\0", " ")[:60])

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
