"""What a command waits for, and says, when the study is done and sinks on the network are not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudburst.errors import ControllerError
from cloudburst.run.delivery import await_sinks
from cloudburst.run.events import Doing, Event, StopSignal, Warned


class Played:
    """A controller whose status is the next of these each time; the last one stays."""

    def __init__(self, *statuses: Mapping[str, Any] | Exception) -> None:
        self._statuses = list(statuses)

    def __call__(self) -> Mapping[str, Any]:
        now = self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]
        if isinstance(now, Exception):
            raise now
        return now


def status(waiting: int, *, points: int = 0, problem: str = "") -> Mapping[str, Any]:
    return {"sinks": [{"sink": "influxdb lake", "points": points, "waiting": waiting, "problem": problem}]}


def told(
    *statuses: Mapping[str, Any] | Exception, stop: StopSignal | None = None, patience: float = 30.0
) -> list[Event]:
    events: list[Event] = []
    played = Played(*statuses)
    await_sinks(played, events.append, stop or StopSignal(), look_every=0.001, patience=patience)
    return events


def test_nothing_is_said_of_sinks_that_have_everything() -> None:
    assert told({"sinks": []}) == []
    assert told(status(0, points=9)) == []


def test_it_waits_until_they_have_everything_and_says_so_once() -> None:
    events = told(status(7), status(3, points=4), ControllerError("away"), status(0, points=9))
    assert events == [Doing("sinks", "waiting until they have everything")]


def test_what_does_not_move_any_more_is_left_to_the_controller_and_named() -> None:
    *_, last = told(status(1200, problem="nothing answers at http://lake:8086"), patience=0.05)
    sentence = "influxdb lake lacks 1,200 jobs: nothing answers at http://lake:8086; the cluster goes on sending them"
    assert last == Warned(sentence)


def test_a_problem_that_waiting_does_not_mend_is_said() -> None:
    assert told(status(0, points=9, problem="3 values were refused")) == [
        Warned("influxdb lake: 3 values were refused")
    ]


def test_who_wants_to_stop_does_not_wait() -> None:
    stop = StopSignal()
    stop.raise_level()
    assert told(status(5), stop=stop) == []
