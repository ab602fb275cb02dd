"""The command is killed at every moment of making a swarm of hosts, and of taking it apart: the next one ends it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from faults.table import FORMING, note

from lab.bare import BareHosts
from lab.on_hosts import ON_HOSTS, forming_killed, parting_killed
from lab.studies import Project

pytestmark = [*ON_HOSTS, pytest.mark.faults]

STEPS = {"making a swarm": "made the swarm on the first host", "taking in": "took the two others in"}

Tell = Callable[[str, float, float], None]


@pytest.fixture
def tell(pytestconfig: pytest.Config) -> Tell:
    """Remembers a line of the table; called by a test when everything held."""

    def line(what: str, seconds: float, took: float) -> None:
        cells = (what, f"{seconds:.1f} s", f"{took:.0f} s")
        print(f"\n{' | '.join(cells)}")
        note(pytestconfig, FORMING, cells)

    return line


@pytest.mark.parametrize("seconds", [0.0, 0.1, 0.2, 0.3, 0.5])
@pytest.mark.parametrize("step", STEPS)
def test_killed_while_forming(
    bare_hosts: BareHosts, bare_study: Project, tmp_path: Path, tell: Tell, step: str, seconds: float
) -> None:
    took = forming_killed(bare_hosts, bare_study, tmp_path / "other", step, seconds)
    tell(f"`apply`, as it {STEPS[step]}", seconds, took)


@pytest.mark.parametrize("seconds", [0.0, 0.2, 0.4, 0.7, 1.0, 1.5, 2.0, 3.0])
def test_killed_while_taking_it_apart(
    bare_hosts: BareHosts, bare_study: Project, tell: Tell, seconds: float
) -> None:
    took = parting_killed(bare_hosts, bare_study, seconds)
    tell("`destroy`, as it took the swarm apart", seconds, took)
