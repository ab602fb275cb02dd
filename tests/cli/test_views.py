"""Tables that fit, words for numbers, and progress for every kind of screen."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudburst.cli.views import effort
from cloudburst.cli.views.grid import cells, cut, fit, grid, one_line
from cloudburst.cli.views.screen import Screen
from cloudburst.cli.views.telling import telling
from cloudburst.cli.views.words import count, duration, short
from cloudburst.run.events import Doing, Note, Progress, Warned
from cloudburst.run.sentences import counts_line, of_all_line, progress_line
from cloudburst.run.words import rate


# ── tables ───────────────────────────────────────────────────────────────────────────────────
def test_numbers_to_the_right_texts_to_the_left() -> None:
    lines = grid(("n", "name"), [("1", "a"), ("10", "bc"), ("", "d")], width=80)
    assert lines == [" n  name", " 1  a", "10  bc", "    d"]


def test_what_does_not_fit_is_cut_then_left_out() -> None:
    lines = grid(("row", "error"), [("1", "a very long error indeed")], width=20)
    assert lines == ["row  error", "  1  a very long er…"]
    lines = grid([f"column{i}" for i in range(9)], [["123456"] * 9], width=40)
    assert lines[0].endswith("… 5 more")
    assert max(map(len, lines)) <= 40


@given(
    st.lists(st.lists(st.text(max_size=30), min_size=4, max_size=4), max_size=5),
    st.integers(40, 120),
)
def test_no_line_is_wider_than_the_screen(rows: list[list[str]], width: int) -> None:
    lines = grid(("a", "b", "c", "d"), rows, width=width, floors=(3,))
    assert len(lines) == len(rows) + 1
    assert all(cells(line) <= width and line.isprintable() for line in lines)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=8), st.integers(10, 100))
def test_columns_get_what_they_want_when_there_is_room(wanted: list[int], width: int) -> None:
    widths = fit(wanted, [6] * len(wanted), width)
    if sum(wanted) + 2 * (len(wanted) - 1) <= width:
        assert widths == wanted


def test_wide_letters_count_twice_and_control_characters_move_no_cursor() -> None:
    assert cells("日本") == 4
    assert cut("日本語", 5) == "日本…"
    assert one_line("a\nb\tc\x1b[31m") == "a⏎b c\ufffd[31m"


# ── words ────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"),
        (0.000251, "0.25 ms"),
        (0.04, "40 ms"),
        (0.0999, "0.1 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min 00 s"),
        (200, "3 min 20 s"),
        (7500, "2 h 05 min"),
        (273600, "3 d 4 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_counts_values_and_rates() -> None:
    assert (count(1, "row"), count(1380, "row"), count(2, "entry", "entries")) == (
        "1 row",
        "1,380 rows",
        "2 entries",
    )
    values = [0.1 + 0.2, 1e-9, True, None, [1, "a"], {"a": 1}, "x", 10**12]
    assert [short(v) for v in values] == [
        "0.3",
        "1e-09",
        "true",
        "null",
        '[1, "a"]',
        '{"a": 1}',
        "x",
        "1000000000000",
    ]
    assert [rate(28.13), rate(0.5), rate(0.0005)] == ["28.1 a second", "30 a minute", "1.8 an hour"]


# ── progress ─────────────────────────────────────────────────────────────────────────────────
def status(**more: Any) -> dict[str, Any]:
    known = {
        "state": "running",
        "reason": "",
        "done": 12,
        "failed": 0,
        "to_do": 188,
        "rate": 28.13,
        "seconds_left": 6.7,
    }
    return {**known, "seconds": 1.0, "nodes": [], "problems": [], **more}


def test_a_line_of_progress() -> None:
    assert progress_line(status()) == "12 of 200: 12 done, 28.1 a second, 6.7 s left"
    assert counts_line(status(failed=1, rate=0, seconds_left=None)) == "12 done, 1 failed"
    assert progress_line(status(state="paused", reason="too many failed")).endswith(
        "(paused: too many failed)"
    )


EVENTS = [
    Doing("queue", "starting"),
    Progress(
        status(
            state="starting",
            nodes=[{"node": "n1", "state": "preparing", "detail": "building the environment"}],
        )
    ),
    Progress(
        status(
            state="starting",
            nodes=[{"node": "n1", "state": "preparing", "detail": "building the environment"}],
        )
    ),
    Progress(status(seconds=1.0)),
    Progress(status(seconds=2.0, done=40)),
    Warned("the controller was ended by SIGKILL; started again"),
    Progress(status(seconds=11.5, done=150, to_do=50)),
    Note("the table is written"),
    Progress(status(state="finished", seconds=11.6, done=200, to_do=0)),
]


def told(screen: Screen) -> None:
    with telling(screen) as teller:
        for event in EVENTS:
            teller.tell(event)


def test_elsewhere_than_on_a_terminal_progress_is_lines_now_and_then() -> None:
    out, err = io.StringIO(), io.StringIO()
    told(Screen(out, err))
    assert out.getvalue() == ""
    assert err.getvalue().splitlines() == [
        "queue: starting",
        "n1: building the environment",
        "12 of 200: 12 done, 28.1 a second, 6.7 s left",
        "warning: the controller was ended by SIGKILL; started again",
        "150 of 200: 150 done, 28.1 a second, 6.7 s left",
        "the table is written",
        "200 of 200: 200 done, 28.1 a second",
    ]


def test_json_lines_are_the_events(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = io.StringIO(), io.StringIO()
    told(Screen(out, err, as_json=True))
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["event"] for line in lines] == [
        "doing",
        "progress",
        "progress",
        "progress",
        "warning",
        "progress",
        "note",
        "progress",
    ]
    assert lines[-1]["status"]["done"] == 200
    assert err.getvalue() == ""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_on_a_terminal_and_warnings_stay_above_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    out, err = Terminal(), Terminal()
    told(Screen(out, err))
    assert out.getvalue() == ""
    assert "the controller was ended by SIGKILL; started again" in err.getvalue()
    assert "200 of 200, 28.1 a second" in err.getvalue()


def test_json_is_strict_whatever_a_job_returned() -> None:
    out = io.StringIO()
    Screen(out, io.StringIO(), as_json=True).data({"level": float("nan"), "peak": [float("inf")]})
    assert json.loads(out.getvalue(), parse_constant=pytest.fail) == {"level": "NaN", "peak": ["Infinity"]}


def test_beside_the_bar_stands_how_many_there_are_in_all() -> None:
    status = {"done": 12, "failed": 1, "to_do": 187, "rate": 28.1, "seconds_left": 7.0}
    assert of_all_line(status) == "13 of 200, 1 failed, 28.1 a second, 7.0 s left"


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        ([1.47, 2.65, 3.84], "2.65 CPU-hours (1.47 to 3.84)"),
        ([None, 0.5, None], "30 CPU-minutes"),
        ([0.0001, 0.0002, 0.0003], "0.72 CPU-seconds (0.36 to 1.08)"),
    ],
)
def test_work_left_is_said_in_a_unit_that_fits(hours: list[float | None], said: str) -> None:
    form = {"cpu_hours": hours, "wall_hours": None, "from": 5, "confidence": 0.9, "slots": None}
    assert effort.expected(form).startswith(f"work left: {said}, in a time")
