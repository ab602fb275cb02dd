"""What the controller lets the switch of its machine know: that it lives, when a job ran, and what was fetched."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloudburst.errors import ControllerError
from cloudburst.run.activity import EVERY, FILE, NOTHING, Activity, Lines, is_busy

from .conftest import ORDER, PlayedWorker, until
from .test_controller import Controlled, compute, start

__all__ = ["start"]

T0 = 1_800_000_000.0


class Clocks:
    """Both clocks of a machine; `jump` sets the one that tells the time."""

    def __init__(self) -> None:
        self.wall, self.passing = T0, 5.0

    def pass_time(self, seconds: float) -> None:
        self.wall += seconds
        self.passing += seconds

    def jump(self, seconds: float) -> None:
        self.wall += seconds

    def activity(self, home: Path) -> Activity:
        return Activity(home, lambda: self.wall, lambda: self.passing)


def written(home: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((home / FILE).read_text("utf-8"))
    return found


def test_it_is_written_every_few_seconds(tmp_path: Path) -> None:
    clocks = Clocks()
    activity = clocks.activity(tmp_path)
    activity.note(busy=False, lines=lambda: NOTHING)
    assert written(tmp_path) == {
        "format": 1,
        "at": T0,
        "busy_at": T0,
        "uuid": "",
        "last": 0,
        "fetched": 0,
    }
    clocks.pass_time(EVERY - 1)
    activity.note(busy=True, lines=lambda: pytest.fail("it is too early to ask"))
    clocks.pass_time(1)
    activity.note(busy=False, lines=lambda: Lines("a", 3))
    found = written(tmp_path)
    assert (found["at"], found["busy_at"], found["last"]) == (T0 + EVERY, T0 + EVERY - 1, 3)


def test_idle_time_is_right_whatever_the_clock_does(tmp_path: Path) -> None:
    clocks = Clocks()
    activity = clocks.activity(tmp_path)
    clocks.pass_time(60)
    clocks.jump(-86400)
    activity.note(busy=False, lines=lambda: NOTHING)
    found = written(tmp_path)
    assert found["at"] - found["busy_at"] == 60


def test_another_controller_goes_on_counting(tmp_path: Path) -> None:
    clocks = Clocks()
    first = clocks.activity(tmp_path)
    clocks.pass_time(60)
    first.have_fetched(Lines("a", 2), Lines("a", 3))
    clocks.pass_time(1000)
    clocks.activity(tmp_path).note(busy=False, lines=lambda: Lines("a", 5))
    found = written(tmp_path)
    assert (found["at"] - found["busy_at"], found["last"], found["fetched"]) == (60, 5, 2)


def test_what_was_fetched_of_one_ledger_says_nothing_of_another(tmp_path: Path) -> None:
    activity = Clocks().activity(tmp_path)
    activity.have_fetched(Lines("a", 3), Lines("a", 3))
    activity.have_fetched(Lines("a", 1), Lines("a", 3))
    assert written(tmp_path)["fetched"] == 3
    for lines, sentence in [
        (Lines("b", 1), "that ledger is not the one here"),
        (Lines("a", 4), "there are 3 lines here, and 4 cannot have been fetched"),
    ]:
        with pytest.raises(ControllerError, match=sentence):
            activity.have_fetched(lines, Lines("a", 3))
    Clocks().activity(tmp_path).note(busy=False, lines=lambda: Lines("b", 3))
    assert written(tmp_path)["fetched"] == 0


@pytest.mark.parametrize("text", ["", "[]", '{"format": 1}', '{"format": 1, "at": "x"}'])
def test_a_damaged_file_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    Clocks().activity(tmp_path).note(busy=False, lines=lambda: Lines("a", 3))
    assert (written(tmp_path)["busy_at"], written(tmp_path)["fetched"]) == (T0, 0)


def test_a_place_that_cannot_be_written_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clocks = Clocks()
    activity = clocks.activity(tmp_path / "missing")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            activity.note(busy=False, lines=lambda: NOTHING)
            clocks.pass_time(EVERY)
    assert len(caplog.records) == 1
    assert "activity.json cannot be written: No such file or directory" in caplog.text


@pytest.mark.parametrize(
    ("running", "states", "busy"),
    [
        (0, [], False),
        (0, ["ready", "waiting"], False),
        (0, ["ready", "preparing"], True),
        (1, ["ready"], True),
    ],
)
def test_busy_is_who_computes_or_prepares(running: int, states: list[str], busy: bool) -> None:
    assert is_busy({"running": running, "nodes": [{"state": state} for state in states]}) is busy


@pytest.mark.slow
def test_a_controller_says_what_was_fetched(start: Callable[..., Controlled], worker: PlayedWorker) -> None:
    controlled = start()
    controlled.client.put_study({"waves": 20}, ORDER)
    compute(controlled, worker)
    facts = controlled.client.ledger()
    controlled.client.have_fetched(facts["uuid"], 12)
    found = written(controlled.home)
    assert (found["uuid"], found["last"], found["fetched"]) == (facts["uuid"], 20, 12)
    assert found["busy_at"] <= found["at"]
    controlled.kill()
    before = found["at"]
    controlled.start()
    until(lambda: written(controlled.home)["at"] > before)
    assert written(controlled.home)["fetched"] == 12
    with pytest.raises(ControllerError, match="there are 20 lines here"):
        controlled.client.have_fetched(facts["uuid"], 21)
    with pytest.raises(ControllerError, match="that ledger is not the one here"):
        controlled.client.have_fetched("another", 1)
    assert controlled.request("POST", "/api/fetched", b'{"last": 3}') == (
        400,
        "`uuid` is the ledger's, and `last` the last of its lines that was fetched",
    )
