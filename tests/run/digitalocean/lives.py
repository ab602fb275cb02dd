"""The machines of one study in an account whose time is made up, behind whose words machines are played."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudburst.run.digitalocean import approach as approaching
from cloudburst.run.digitalocean import estate
from cloudburst.run.digitalocean.account import Account
from cloudburst.run.digitalocean.approach import Patience
from cloudburst.run.digitalocean.caller import VARIABLE
from cloudburst.run.digitalocean.judge import judge
from cloudburst.run.digitalocean.nouns import Rule
from cloudburst.run.digitalocean.provision import Provision
from cloudburst.run.events import Event, StopSignal
from cloudburst.run.observe import read_study
from tests.lab.imitation import HARSH, Fault, Imitation

from .clockwork import Clockwork, paper
from .played import PlayedMachines

if TYPE_CHECKING:
    import pytest

NAMES = ("cb-waves-manager", "cb-waves-worker-1", "cb-waves-worker-2", "cb-waves-worker-3")
HURRY = Patience(active=60.0, answer=10.0, ready=10.0, gone=60.0, action=60.0, look_every=0.001)


@dataclass
class QuietSwarm:
    """Whoever is told to join does."""

    def form(self) -> None: ...
    def drain(self, names: Sequence[str]) -> None: ...
    def forget(self, names: Sequence[str]) -> None: ...


@dataclass
class Life:
    """Machines of one study in one account."""

    imitation: Imitation
    account: Account
    machines: PlayedMachines
    place: Path
    told: list[Event]

    def converge(self, workers: int) -> None:
        study = read_study(_written(self.place, workers))
        judged = judge(study.ensemble, self.account)
        assert judged.wanted is not None, judged.problems
        provision = Provision(
            study,
            self.account,
            lambda _fleet, _approach: QuietSwarm(),
            self.told.append,
            StopSignal(),
            patience=HURRY,
            open_link=self.machines.open_link,
        )
        provision.converge(judged.wanted)

    def remove(self) -> str:
        """What is left against our will, in words."""
        return estate.remove(self.account, "waves", on_event=self.told.append).in_words()

    def standing(self) -> Counter[str]:
        return Counter(one.name for one in self.imitation.account.standing())

    def live(self) -> None:
        """From nothing to four machines, to three, to nothing."""
        before = self.imitation.account.left()
        self.converge(workers=3)
        assert self.standing() == Counter(NAMES)
        self.converge(workers=2)
        assert self.standing() == Counter(NAMES[:3])
        assert self.remove() == ""
        assert self.imitation.account.left() == before, "what others have, and nothing else"

    def made(self) -> int:
        """Droplets that were ever granted."""
        return sum(
            len(one.said["names"])
            for one in self.imitation.requests("POST", "/v2/droplets")
            if one.status == 202 or (one.fault is not None and one.fault.is_done_first)
        )


def _written(place: Path, workers: int) -> Path:
    spec: dict[str, Any] = {
        "cloudburst": 1,
        "name": "waves",
        "worker": {"directory": "worker", "entrypoint": "waves:work"},
        "parameters": {"grid": {"n": [1, 2, 3]}},
        "cluster": {
            "provider": {"digitalocean": {"region": "nyc3", "worker": "s-2vcpu-2gb"}},
            "workers": workers,
            "ssh_keys": [],
        },
    }
    (place / "worker").mkdir(parents=True, exist_ok=True)
    (place / "worker" / "waves.py").write_text("def work(n):\n    return n\n")
    file = place / "ensemble.yaml"
    file.write_text(json.dumps(spec))
    return file


@contextmanager
def living(place: Path, monkeypatch: pytest.MonkeyPatch, fault: Fault | None = None) -> Iterator[Life]:
    """In an account that others use too, on a bad day: everything late, pages of two."""
    monkeypatch.setenv(VARIABLE, "198.51.100.7")
    with paper(Clockwork(), HARSH, fault) as (imitation, account):
        _furnish(imitation, account)
        machines = PlayedMachines(imitation, place / "machines")
        monkeypatch.setattr(approaching, "shown_by", machines.shown_by)
        yield Life(imitation, account, machines, place / "here", [])


def _furnish(imitation: Imitation, account: Account) -> None:
    """Things of others, so that every list is longer than a page."""
    for n in range(2):
        imitation.account.add_key(f"laptop-{n}", f"ssh-ed25519 AAAA{n} someone", f"{n:02x}" * 16)
        account.create_firewall(f"web-{n}", (), (Rule("tcp", "0", addresses=("0.0.0.0/0",)),), ())
    for n in range(3):
        imitation.account.add_snapshot(f"backup-{n}")
    imitation.exchanges.clear()
