"""The life of a small study on rented machines: applied, computed, given back. And what has to be true at its end."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .rented import RentedLab
from .studies import JOBS as CODE
from .studies import Project, jobs_that_wait

NAME = "life"
WORKERS = 3
JOBS = 30
PAUSE = 0.5
OF_ONE_RUN = {"attempts", "started", "seconds", "worker"}
"""The columns of a table that two runs of the same jobs need not have in common."""
BILL = re.compile(r"its machines have cost [0-9.]+ USD \(([0-9]+) machines?,")

Table = list[dict[str, str]]


def machines(workers: int = WORKERS) -> tuple[str, ...]:
    """The names of the droplets."""
    return (f"cb-{NAME}-manager", *(f"cb-{NAME}-worker-{n}" for n in range(1, workers + 1)))


def spec(jobs: int = JOBS, pause: float = PAUSE, **cluster: object) -> dict[str, Any]:
    """Some seconds of work for all slots."""
    return {
        **jobs_that_wait(NAME, jobs, pause, timeout="10m"),
        "cluster": {"slots": 2, "workers": WORKERS, "ttl": "2h", "ssh_keys": [], **cluster},
    }


@dataclass
class Life:
    """One study in one directory, and the account it rents in, which was empty before. `alone` is its table as this
    machine computes it by itself, for the most `jobs` there can be."""

    lab: RentedLab
    project: Project
    alone: Table
    jobs: int = JOBS
    workers: int = WORKERS

    def write(
        self, jobs: int = JOBS, pause: float = PAUSE, workers: int = WORKERS, **cluster: object
    ) -> None:
        """The study's file, with these settings of its cluster."""
        self.jobs, self.workers = jobs, workers
        self.project.write(spec(jobs, pause, workers=workers, **cluster), {"jobs.py": CODE})

    def apply(self, **variables: Any) -> str:
        """To its end, and then every machine stands once and every row is here. All that it said."""
        said = self.project.said("apply", "--yes", "--json", **variables)
        assert self.names() == Counter(machines(self.workers))
        self.is_whole()
        return said

    def is_whole(self) -> None:
        """Every row is here, once, as it should be."""
        assert self.table() == self.alone[: self.jobs]

    def each_began_once(self) -> None:
        """No job was begun for nothing."""
        assert self.project.begun() == Counter(range(1, self.jobs + 1)), "a job began twice, or never"

    def destroy(self, **variables: Any) -> str:
        """Gives everything back; all that it said."""
        said = self.project.said("destroy", "--yes", **variables)
        self.is_over()
        return said

    def is_over(self) -> None:
        """Nothing is left in the account or of any machine, and every row is here."""
        assert self.lab.imitation.account.left() == []
        self.is_whole()
        self.lab.machines.settle()
        assert self.lab.traces() == []
        assert self.lab.imitation.violations() == []

    def names(self) -> Counter[str]:
        """Of the droplets that stand and are billed."""
        return Counter(one.name for one in self.lab.imitation.account.standing())

    def rented(self) -> int:
        """How many machines were ever made, whatever was answered and those that are gone among them."""
        return len(self.lab.imitation.account.droplets)

    def orphans(self) -> set[int]:
        """The ids of the machines that `orphans` names, which is said to be there when anything is."""
        there = 1 if self.lab.imitation.account.left() else 0
        found = json.loads(self.project.run("orphans", "--json", code=there))
        return {one["id"] for study in found["studies"] for one in study["droplets"]}

    def table(self) -> Table:
        return computed(self.project)


def computed(project: Project) -> Table:
    """What does not depend on where and when a job ran."""
    return [{name: value for name, value in row.items() if name not in OF_ONE_RUN} for row in project.table()]


def computed_alone(lab: RentedLab, place: Path, jobs: int = JOBS) -> Table:
    """The table as this machine makes it by itself."""
    here = Project(lab.fleet(NAME), place, NAME, "local")
    made = spec(jobs)
    made["cluster"] = {"slots": 2}
    here.write(made, {"jobs.py": CODE})
    here.run("apply")
    Path(f"/var/tmp/{NAME}.begun").unlink(missing_ok=True)
    return computed(here)


def in_words(left: list[str]) -> str:
    """`4 droplets, 1 key, 5 tags`, from the names of what is in an account."""
    kinds = Counter(one.split()[0] for one in left)
    return ", ".join(f"{n} {kind}{'' if n == 1 else 's'}" for kind, n in kinds.items()) or "nothing"
