"""docs/faults.md, written by the tests that were survived: `--faults-table FILE`.

A section for each place where things were broken. What a session did not break keeps its section.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

WRITE = "--faults-table"

TITLE = "# What was broken, and what came of it\n\nWritten by `make faults`."

Cells = tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """`words` say what was done and what held each time; then comes the table."""

    title: str
    words: str
    columns: Cells

    def render(self, lines: Sequence[Cells]) -> str:
        """The whole section."""
        rows = [self.columns, ("---",) * len(self.columns), *lines]
        table = "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
        return f"## {self.title}\n\n{self.words}\n\n{table}\n"


LOCAL = Section(
    "On one machine",
    """\
A study of 40 jobs on two slots, the part killed with `kill -9` when so many jobs were done. After each: no job that was
recorded ran again, the table had every row once with its value, and no process of the study was left.""",
    ("what happens", "after … of 40 jobs", "how it goes on"),
)

SWARM = Section(
    "On a swarm",
    """\
A manager and three worker nodes ([the lab](lab.md)), and on them two studies at the same time: one with thousands of jobs of 0.1 s on two
slots of each node, one with six jobs of 60 s. Each tenth of the short jobs and all of the long ones return a series and a file. Each fault befalls both studies
when all nodes are at work, and `apply` follows from a machine outside. After each: every row was once in the table, in InfluxDB (points counted) and among
the files; no job that was recorded ran again; every slot of every node worked again; and nothing waited longer than 90 s since the fault (or since the disk had room
again) or since its turn.

*Began anew* counts the jobs that were at hand and had to begin once more. *Busy again* is when the last slot that had stood still for more than 2 s began a job, and *runs again*
when the last job that had to begin anew began: both in seconds after the fault, and so with the time that the machine itself was away. A dash: none stood still, or none had to.
The lab's nodes share two processors; machines of their own are quicker.

And a worker node whose clock was set 40 s ahead took no jobs, was named in `status`, and went on by itself when its clock was right.""",
    (
        "what happens",
        "0.1 s: began anew",
        "0.1 s: all slots busy again",
        "60 s: began anew",
        "60 s: runs again",
    ),
)

FORMING = Section(
    "On machines one has: the client is killed",
    """\
Three hosts of [the lab](lab.md) in no swarm, named in `provider: {ssh: …}`. The client is killed with `kill -9` so long after it said that it begins a step. Killed in `apply`, an
`apply` from another directory went on, and the three were one swarm, each once, whose published ports stay inside; killed in `destroy`, `destroy` was said again. In the end no host was in a swarm, nor was there
a network, a container or a volume of the study on any.""",
    ("killed in", "after", "the next command takes"),
)

RENTED_KILLS = Section(
    "On rented machines: the client is killed",
    """\
A study of 30 jobs on a manager and three workers, rented from [the imitation](lab.md) of DigitalOcean whose droplets are hosts of the lab. The client is killed with
`kill -9` at one moment, or interrupted where it says Ctrl-C, and the same command is said again. After each: the table was the one that a single machine computes; no job that
began was begun again; no machine was rented twice; the bill named every machine; and in the end the account held no droplet, key, firewall, VPC or tag. What stood after a
`kill -9` was what `orphans` named; after Ctrl-C it had been said, with ids and prices. Where only `destroy` follows, what was recorded came home.""",
    ("killed when", "what stood then", "the command again takes"),
)

RENTED_API = Section(
    "On rented machines: the API fails",
    """\
The same life. The first request that `apply` makes to each endpoint meets the trouble, and the first that `destroy` makes; and so does the second page of every list,
which are of two objects each. Both commands ended well by themselves, and with what is said above. *Struck* counts requests. That each endpoint by itself is survived with each
trouble, without hosts, is tested in `tests/run/digitalocean/test_whole_life.py`.""",
    ("trouble", "endpoints", "struck", "`apply` takes", "`destroy` takes"),
)

RENTED_SWITCH = Section(
    "On rented machines: nobody looks after them",
    """\
A manager and one worker of the same kind, left alone by their client. The switch on each looks every 20 s. After each the study was applied again (but for those of `idle_stop` and
of the lost token), the table was the one that a single machine computes, and `destroy` left nothing.""",
    ("what happens", "what came of it"),
)

RENTED_WORLDS = Section(
    "On rented machines: one comes up badly",
    """\
A manager and one worker of the same kind, one of which comes to grief when it is made. After each: `apply` named it and everything that was billed, with its id and price; applied again
it put another one in its place and computed (but for the manager, which was given back), and `destroy` left nothing. *Said after* is how long the first `apply` waited for it.""",
    ("what comes up", "what is said", "said after"),
)

RENTED_REST = Section(
    "On rented machines: what else happens to them",
    """\
A manager and one worker of the same kind. After each: the table was the one that a single machine computes, or what was recorded had come home, and `destroy` left nothing.""",
    ("what happens", "what came of it"),
)

SECTIONS = (LOCAL, SWARM, FORMING, RENTED_KILLS, RENTED_API, RENTED_SWITCH, RENTED_WORLDS, RENTED_REST)

_TOLD = pytest.StashKey[dict[str, list[Cells]]]()


def note(config: pytest.Config, section: Section, cells: Cells) -> None:
    """One more line for the table."""
    config.stash.setdefault(_TOLD, {}).setdefault(section.title, []).append(cells)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(WRITE, metavar="FILE", help="write what was survived there")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    target = session.config.getoption(WRITE)
    if target and exitstatus == 0:
        place = Path(target)
        before = place.read_text(encoding="utf-8") if place.exists() else ""
        told = session.config.stash.get(_TOLD, {})
        place.write_text(page(told, before), encoding="utf-8")


def page(told: Mapping[str, Sequence[Cells]], before: str) -> str:
    """The page with what was told, by sections' titles, and with what stood there `before` of the rest."""
    kept = _sections(before)
    parts = [
        section.render(told[section.title]) if section.title in told else kept.get(section.title, "")
        for section in SECTIONS
    ]
    return "\n".join((TITLE + "\n", *filter(None, parts)))


def _sections(text: str) -> dict[str, str]:
    """The sections of a page by their titles."""
    parts = text.split("\n## ")[1:]
    return {part.partition("\n")[0]: f"## {part.rstrip()}\n" for part in parts}
