"""How far it is: lines where nothing can be changed, one display in a notebook, nothing where nobody wants it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cloudburst.face.progress import Bar, Lines, notebook_display, telling
from cloudburst.run.events import Doing, Note, Progress, Warned

if TYPE_CHECKING:
    import pytest


def status(done: int, to_do: int, **more: Any) -> Mapping[str, Any]:
    return {
        "state": "running",
        "reason": "",
        "done": done,
        "failed": 0,
        "to_do": to_do,
        "rate": 0.0,
        "seconds_left": None,
        "nodes": [],
        **more,
    }


def test_lines_say_each_thing_once_and_how_far_it_is_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    teller = Lines()
    node = {"node": "here", "state": "preparing", "detail": "starting runners"}
    teller.tell(Doing("queue", "starting"))
    for _ in range(3):
        teller.tell(Progress(status(0, 4, state="starting", nodes=[node])))
    for done in range(5):
        teller.tell(Progress(status(done, 4 - done)))
    teller.tell(Warned("the queue died"))
    teller.end()
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "queue: starting",
        "here: starting runners",
        "0 of 4: 0 done",
        "warning: the queue died",
        "4 of 4: 4 done",
    ]


class Display:
    """A notebook's: every picture of the one display."""

    def __init__(self) -> None:
        self.pictures: list[dict[str, str]] = []

    def __call__(self, picture: dict[str, str], *, raw: bool, display_id: bool) -> Display:
        assert raw
        assert display_id
        assert not self.pictures, "one display, which is changed"
        self.pictures.append(picture)
        return self

    def update(self, picture: dict[str, str], *, raw: bool) -> None:
        assert raw
        self.pictures.append(picture)


def test_a_bar_is_one_display_that_ends_as_it_was_last() -> None:
    display = Display()
    bar = Bar(display)
    assert display.pictures == []
    bar.tell(Doing("lock", "not <locked> yet"))
    for done in range(5):
        bar.tell(Progress(status(done, 4 - done)))
    bar.tell(Note("<b>half</b>"))
    bar.end()
    first, *_, last = display.pictures
    assert first["text/plain"] == "lock: not <locked> yet"
    assert "not &lt;locked&gt; yet" in first["text/html"]
    assert last["text/plain"] == "running: 4 of 4\n<b>half</b>"
    assert '<progress max=1 value="1.0000">' in last["text/html"]
    assert "&lt;b&gt;half" in last["text/html"]


def test_who_wants_none_hears_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with telling(wanted=False) as teller:
        teller.tell(Warned("hidden"))
        teller.say("hidden")
    assert capsys.readouterr() == ("", "")
    assert notebook_display() is None
