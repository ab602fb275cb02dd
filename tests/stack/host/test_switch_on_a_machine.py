"""The switch as a process, beside an imitation of the provider's API, with stand-ins for what powers a machine off."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab.imitation import HARSH, PROMPT, UNLIMITED, Fault, Imitation
from stack.host.program import PROGRAM
from stack.parts import until

from cloudburst.compile.switch import SwitchState, read_switch_state

pytestmark = pytest.mark.slow


def faketime() -> Path:
    """A library under whose eyes an hour passes in a minute."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    sentence = "libfaketime is not on this machine; on Debian: apt-get install faketime"
    if not found:
        assert os.environ.get("CLOUDBURST_REQUIRE_PARTS") != "1", sentence
        pytest.skip(sentence)
    return found[0]


class Account:
    """The study `waves` in an account: a manager, some workers, and machines that are none of its own."""

    def __init__(self, imitation: Imitation, workers: int = 2) -> None:
        self.imitation = imitation
        self.manager = self.rent("cb-waves-manager", "manager")
        self.workers = [self.rent(f"cb-waves-worker-{n + 1}", "worker") for n in range(workers)]
        self.others = {
            self.rent("cb-tides-worker-1", "worker", "tides").id,
            self.rent("my-blog").id,
        }
        self.token = imitation.grant("droplet:read", "droplet:delete")

    def rent(self, name: str, role: str = "", study: str = "waves") -> Any:
        state = self.imitation.account
        tags = ["cloudburst", f"cloudburst:{study}", f"cloudburst:{study}:{role}"] if role else ["mine"]
        found, _ = state.create(
            name,
            region="nyc3",
            size=state.sizes["s-1vcpu-1gb"],
            image=next(iter(state.images.values())),
            keys=(),
            tags=tags,
            vpc=state.default_vpc("nyc3"),
            user_data="",
        )
        found.booted = True
        return found

    @property
    def standing(self) -> set[int]:
        return {one.id for one in self.imitation.account.standing()}

    @property
    def is_empty(self) -> bool:
        return self.standing == self.others

    def deleted(self) -> list[int]:
        """In the order in which that was accepted."""
        done = [one for one in self.imitation.exchanges if one.method == "DELETE" and one.status == 204]
        return list(dict.fromkeys(int(one.path.rpartition("/")[2].partition("?")[0]) for one in done))


class Host:
    """A machine: its files, the programs that power it off, and the switch, which may be killed and begun again."""

    def __init__(self, place: Path) -> None:
        self.home = place / "home"
        self.home.mkdir()
        self.activity = place / "activity.json"
        self.log = place / "log"
        self._programs = place / "bin"
        self._programs.mkdir()
        self.asked = place / "asked"
        self.asked.touch()
        self.let_power_off("systemctl")
        self.process: subprocess.Popen[bytes] | None = None

    def let_power_off(self, *works: str) -> None:
        """Only these programs do what they are asked; the others fail."""
        for name in ("systemctl", "poweroff", "shutdown"):
            path = self._programs / name
            path.write_text(f'#!/bin/sh\necho {name} "$@" >>{self.asked}\nexit {int(name not in works)}\n')
            path.chmod(0o755)

    def tell(self, **changes: Any) -> None:
        now = time.time()
        form = {
            "format": 1,
            "study": "waves",
            "role": "manager",
            "armed": now,
            "deadline": now,
            "ttl": 3600.0,
            "max_cost": None,
            "rentals": [],
            "idle_stop": None,
            "keep_results": 3600.0,
            "api": "",
            "tag": "cloudburst:waves",
            "activity": str(self.activity),
            "manager": None,
            "own": None,
        }
        self._put(self.home / "switch.json", json.dumps({**form, **changes}))

    def tell_of(self, account: Account, **changes: Any) -> None:
        self.tell(api=account.imitation.end_point, own=account.manager.id, **changes)
        self._put(self.home / "reaper-token", account.token + "\n")

    def say(self, last: int, fetched: int) -> None:
        """What the controller writes."""
        now = time.time()
        form = {"format": 1, "at": now, "busy_at": now, "last": last, "fetched": fetched}
        self._put(self.activity, json.dumps(form))

    @staticmethod
    def _put(path: Path, text: str) -> None:
        new = path.with_suffix(".put")
        new.write_text(text)
        new.replace(path)

    def start(self, *, hurry: int | None = None) -> subprocess.Popen[bytes]:
        """`hurry`: so many seconds pass in one."""
        environment = {"PATH": f"{self._programs}:/nowhere"}
        if hurry:
            environment |= {"LD_PRELOAD": str(faketime()), "FAKETIME": f"+0 x{hurry}"}
        every = "0.02" if hurry is None else "20"
        command = [sys.executable, "-I", str(PROGRAM), "--home", str(self.home), "--every", every]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stderr=log, stdin=subprocess.DEVNULL)
        return self.process

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def state(self) -> SwitchState | None:
        """As `cloudburst status` reads it."""
        command = [sys.executable, "-I", str(PROGRAM), "--home", str(self.home), "--state"]
        said = subprocess.run(command, capture_output=True, text=True, check=False)
        return read_switch_state(said.stdout) if said.returncode == 0 else None

    def stage(self) -> str:
        found = self.state()
        return found.stage if found else ""

    def trouble(self) -> str | None:
        found = self.state()
        return found.trouble if found else None

    @property
    def orders(self) -> list[str]:
        return self.asked.read_text().splitlines()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def account() -> Iterator[Account]:
    with Imitation(limits=UNLIMITED, manners=PROMPT) as imitation:
        yield Account(imitation)
        assert imitation.violations() == []


def test_a_manager_gives_its_workers_back_and_itself_when_results_are_home(
    host: Host, account: Account
) -> None:
    host.say(9, 4)
    host.tell_of(account)
    host.start()
    until(lambda: host.stage() == "keeping results")
    assert account.standing == {account.manager.id} | account.others
    state = host.state()
    assert state is not None
    assert (state.why, state.reason, state.trouble) == ("keep_results", "its time is over", "")
    assert state.stops_at is not None
    assert state.stops_at - state.since == pytest.approx(3600, abs=30)
    host.say(9, 9)
    until(lambda: account.is_empty)
    assert account.deleted()[-1] == account.manager.id
    assert host.orders == []


def test_killed_at_any_moment_it_goes_on(host: Host, account: Account) -> None:
    account.imitation.account.manners = HARSH
    host.say(9, 9)
    host.tell_of(account)
    chance = random.Random(4)
    for _ in range(12):
        process = host.start()
        time.sleep(chance.uniform(0.0, 0.4))
        process.send_signal(signal.SIGKILL)
        process.wait()
    host.start()
    until(lambda: account.is_empty)
    assert account.deleted()[-1] == account.manager.id


LIST, ONE = "/v2/droplets", "/v2/droplets/{droplet_id}"


@pytest.mark.parametrize("page", [1, 2])
@pytest.mark.parametrize("what", ["429", "500", "503", "html", "drop-before", "truncated"])
def test_a_list_that_cannot_be_had_is_asked_for_again(
    host: Host, account: Account, what: Any, page: int
) -> None:
    """Nobody is forgotten because a page was, and nobody goes before the workers are gone."""
    account.imitation.account.manners = HARSH
    fault = Fault("GET", LIST, what, times=3, page=page, retry_after=1 if what == "429" else None)
    account.imitation.faults.add(fault)
    host.say(9, 9)
    host.tell_of(account)
    host.start()
    until(lambda: account.is_empty)
    assert account.imitation.faults.unused() == []
    assert account.deleted()[-1] == account.manager.id


@pytest.mark.parametrize(
    "what", ["429", "500-after", "503", "html", "drop-before", "drop-after", "truncated"]
)
def test_a_deletion_that_fails_is_asked_for_again(host: Host, account: Account, what: Any) -> None:
    account.imitation.account.manners = HARSH
    account.imitation.faults.add(Fault("DELETE", ONE, what, times=4))
    host.say(9, 9)
    host.tell_of(account)
    host.start()
    until(lambda: account.is_empty)
    assert set(account.deleted()) <= {one.id for one in (*account.workers, account.manager)}


def test_trouble_is_said_and_the_token_never(host: Host, account: Account) -> None:
    account.imitation.faults.add(Fault("*", "/v2/*", "503", times=None))
    host.say(9, 9)
    host.tell_of(account)
    process = host.start()
    until(lambda: host.trouble() == "the API answers 503")
    seen = (
        Path(f"/proc/{process.pid}/cmdline").read_bytes() + Path(f"/proc/{process.pid}/environ").read_bytes()
    )
    account.imitation.faults.clear()
    until(lambda: account.is_empty)
    host.stop()
    written = [path.read_bytes() for path in host.home.iterdir() if path.name != "reaper-token"]
    assert account.token.encode() not in b"".join([seen, host.log.read_bytes(), *written])
    assert "removing workers: its time is over" in host.log.read_text()
    assert (host.home / "switch-state.json").stat().st_mode & 0o077 == 0


def test_an_apply_in_the_middle_stops_it(host: Host, account: Account) -> None:
    account.imitation.faults.add(Fault("DELETE", ONE, "503", times=None))
    host.say(9, 9)
    host.tell_of(account)
    host.start()
    until(lambda: host.stage() == "removing workers")
    host.tell_of(account, armed=time.time() + 1, deadline=time.time() + 3600)
    until(lambda: host.stage() == "armed")
    account.imitation.faults.clear()
    looks = account.imitation.exchanges[:]
    until(lambda: host.trouble() == "")
    assert [one for one in account.imitation.exchanges if one not in looks] == []
    assert len(account.standing) == 5


def test_a_machine_that_does_not_know_its_id_is_found_by_its_tag(host: Host, account: Account) -> None:
    host.say(0, 0)
    host.tell_of(account)
    host.tell(api=account.imitation.end_point, own=None)
    host.start()
    until(lambda: account.is_empty)
    assert account.deleted()[-1] == account.manager.id


def test_damaged_files_do_not_stop_it(host: Host, account: Account) -> None:
    host.say(9, 9)
    host.tell_of(account, deadline=time.time() + 1.5)
    host.start()
    until(lambda: host.stage() == "armed")
    (host.home / "switch.json").write_text('{"format": 1, "study')
    until(lambda: account.is_empty)
    assert "switch.json cannot be used, so what was known before holds: it is no JSON" in host.log.read_text()


def test_a_controller_cannot_make_it_wait_or_read_elsewhere(
    host: Host, account: Account, tmp_path: Path
) -> None:
    """Its directory belongs to a container: a pipe, and then a link, in the place of its file."""
    os.mkfifo(host.activity)
    host.tell_of(account)
    host.start()
    until(lambda: host.stage() == "keeping results")
    host.activity.unlink()
    elsewhere = tmp_path / "elsewhere"
    host._put(elsewhere, json.dumps({"format": 1, "at": 1.0, "busy_at": 1.0, "last": 0, "fetched": 0}))
    host.activity.symlink_to(elsewhere)
    at = (host.state() or pytest.fail("no state")).at
    until(lambda: (found := host.state()) is not None and found.at > at + 0.2)
    assert host.stage() == "keeping results"
    assert account.manager.id in account.standing


# ── power ────────────────────────────────────────────────────────────────────────────────────
def test_a_worker_powers_off_at_its_moment(host: Host) -> None:
    host.tell(role="worker")
    host.start()
    until(lambda: host.orders)
    assert host.orders[0] == "systemctl poweroff"
    assert "powering off: its time is over" in host.log.read_text()
    assert "a machine that is powered off is billed until it is destroyed" in host.log.read_text()


@pytest.mark.parametrize("works", ["poweroff", "shutdown"])
def test_there_are_several_ways_to_power_off(host: Host, works: str) -> None:
    host.let_power_off(works)
    host.tell(role="worker")
    host.start()
    until(lambda: any(order.startswith(works) for order in host.orders))


def test_without_a_token_a_manager_powers_off_later_than_its_workers(host: Host) -> None:
    host.tell()
    host.start(hurry=60)
    until(lambda: host.orders)
    assert host.orders[0] == "systemctl poweroff"
    state = host.state()
    assert state is not None
    assert state.at - state.since >= 120


@pytest.mark.parametrize("scopes", [(), ("droplet:read",)])
def test_a_token_that_may_not_is_said_and_leads_to_power_off(
    host: Host, account: Account, scopes: tuple[str, ...]
) -> None:
    account.token = account.imitation.grant(*scopes) if scopes else "not a token"
    host.tell_of(account)
    host.start(hurry=60)
    until(lambda: host.orders)
    assert host.orders[0] == "systemctl poweroff"
    assert "the API refuses the token in reaper-token" in host.log.read_text()
    assert len(account.standing) == 5


def test_a_worker_without_its_manager_powers_off(host: Host) -> None:
    with socket.create_server(("127.0.0.1", 0)) as manager:
        port = manager.getsockname()[1]
        host.tell(role="worker", deadline=None, ttl=None, manager=f"127.0.0.1:{port}")
        host.start(hurry=300)
        manager.accept()[0].close()
        manager.accept()[0].close()
    until(lambda: host.orders)
    assert "its manager has not answered for 15m" in host.log.read_text()


def test_the_state_of_a_switch_that_never_looked_is_a_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-I", str(PROGRAM), "--home", str(tmp_path), "--state"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout) == (1, "")
    assert "it has not looked yet" in said.stderr


def test_one_look_is_enough_to_see_how_it_stands(host: Host) -> None:
    host.tell(deadline=None, ttl=None)
    command = [sys.executable, "-I", str(PROGRAM), "--home", str(host.home), "--once"]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    state = host.state()
    assert state is not None
    assert (state.stage, state.stops_at) == ("armed", None)
    assert "billed" in state.trouble
