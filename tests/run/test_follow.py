from __future__ import annotations

import pytest

from cloudburst.errors import ControllerError
from cloudburst.run import follow as room
from cloudburst.run.events import Event, Progress, StopSignal
from cloudburst.run.follow import follow


class Cluster:
    def __init__(self) -> None:
        self.looks = 0

    def watch(self) -> None:
        self.looks += 1


class Controller:
    """Answers with what it was given, in turn; an exception is raised."""

    def __init__(
        self, *answers: str | Exception, stop: StopSignal | None = None, stop_after: int = 0
    ) -> None:
        self.answers = list(answers)
        self.pauses = 0
        self.stop, self.stop_after = stop, stop_after

    def status(self) -> dict[str, str]:
        self.stop_after -= 1
        if self.stop and self.stop_after == 0:
            self.stop.raise_level()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return {"state": answer}

    def pause(self) -> None:
        self.pauses += 1
        self.answers = ["pausing", "paused"]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "LOOK_EVERY", 0.001)


def followed(controller: Controller, stop: StopSignal | None = None) -> tuple[str, list[Event]]:
    events: list[Event] = []
    status = follow(
        Cluster(), controller, on_event=events.append, stop=stop or StopSignal(), write_tables=lambda: None
    )
    return status["state"], events


@pytest.mark.parametrize("ending", ["finished", "paused", "broken"])
def test_it_tells_each_look_and_ends_with_the_study(ending: str) -> None:
    state, events = followed(Controller("starting", "running", ending))
    assert state == ending
    assert [e.status["state"] for e in events if isinstance(e, Progress)] == ["starting", "running", ending]


def test_a_controller_that_is_started_again_is_waited_for() -> None:
    state, _ = followed(
        Controller("running", ControllerError("gone"), ControllerError("gone"), "running", "finished")
    )
    assert state == "finished"


def test_one_that_stays_silent_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "SILENCE", 0.01)
    with pytest.raises(ControllerError, match="gone"):
        followed(Controller(ControllerError("gone")))


def test_the_first_stop_pauses_once_and_waits_for_running_jobs() -> None:
    stop = StopSignal()
    controller = Controller("running", stop=stop, stop_after=3)
    state, events = followed(controller, stop)
    assert (state, controller.pauses) == ("paused", 1)
    assert [e.status["state"] for e in events if isinstance(e, Progress)][-2:] == ["pausing", "paused"]


def test_the_second_stop_waits_for_nothing() -> None:
    stop = StopSignal()
    stop.raise_level()
    stop.raise_level()
    controller = Controller("running")
    controller.pause = lambda: None  # type: ignore[method-assign]
    assert followed(controller, stop)[0] == "running"


def test_tables_are_written_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 100000, 10))
    monkeypatch.setattr(room.time, "monotonic", lambda: float(next(clock)))
    written: list[int] = []
    occasion = room.NowAndThen(lambda: written.append(1))
    for _ in range(100):
        occasion.perhaps()
    assert 1 <= len(written) <= 5, "a table that takes long is written less often"


def test_what_outlives_us_is_let_go_of_and_not_paused() -> None:
    stop = StopSignal()
    controller = Controller("running", stop=stop, stop_after=3)
    status = follow(
        Cluster(),
        controller,
        on_event=lambda _: None,
        stop=stop,
        write_tables=lambda: None,
        outlives_us=True,
    )
    assert (status["state"], controller.pauses) == ("running", 0)


def test_what_outlives_us_may_be_silent_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "SILENCE", 0.0)
    silent = [ControllerError("no way there") for _ in range(5)]
    controller = Controller("running", *silent, "finished")
    status = follow(
        Cluster(),
        controller,
        on_event=lambda _: None,
        stop=StopSignal(),
        write_tables=lambda: None,
        outlives_us=True,
    )
    assert status["state"] == "finished"
