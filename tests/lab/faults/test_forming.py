"""The command is killed at every moment of making a swarm of hosts, and of taking it apart: the next one ends it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.bare import BareHosts
from lab.on_hosts import ON_HOSTS, forming_killed, parting_killed
from lab.studies import Project

pytestmark = [*ON_HOSTS, pytest.mark.faults]


@pytest.mark.parametrize("seconds", [0.0, 0.1, 0.2, 0.3, 0.5])
@pytest.mark.parametrize("step", ["making a swarm", "taking in"])
def test_killed_while_forming(
    bare_hosts: BareHosts, bare_study: Project, tmp_path: Path, step: str, seconds: float
) -> None:
    forming_killed(bare_hosts, bare_study, tmp_path / "other", step, seconds)


@pytest.mark.parametrize("seconds", [0.0, 0.2, 0.4, 0.7, 1.0, 1.5, 2.0, 3.0])
def test_killed_while_taking_it_apart(bare_hosts: BareHosts, bare_study: Project, seconds: float) -> None:
    parting_killed(bare_hosts, bare_study, seconds)
