"""What is counted for the page and the metrics: right, and bounded."""

from __future__ import annotations

from typing import Any

from cloudburst.run.tallies import ALIKE, BUCKETS, LATEST, LONGEST_LINE, Tallies


def outcome(number: int = 0, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"{number:020x}",
        "row": number,
        "attempt": 1,
        "status": "done",
        "kind": None,
        "error": None,
        "started": 1000.0,
        "seconds": 2.0,
        "worker": "node-1/0",
        **changes,
    }


def failed(number: int, error: str, kind: str = "error") -> dict[str, Any]:
    return outcome(number, status="failed", kind=kind, error=error)


def test_attempts_are_counted_by_how_they_ended() -> None:
    tallies = Tallies()
    for one in (
        outcome(),
        outcome(),
        failed(1, "E: 1"),
        failed(2, "gone", "lost"),
        failed(3, "x", "timeout"),
    ):
        tallies.note(one)
    counted = tallies.counted()
    assert counted.endings == {"done": 2, "error": 1, "crash": 0, "timeout": 1, "memory": 0, "lost": 1}
    assert (counted.attempts, counted.failures) == (5, 3)


def test_durations_fall_into_the_bucket_whose_bound_they_do_not_exceed() -> None:
    tallies = Tallies()
    for seconds in (0.0, 0.001, 0.0011, 10.0, 1e9):
        tallies.note(outcome(seconds=seconds))
    counted = tallies.counted()
    found = {(*BUCKETS, None)[i]: n for i, n in enumerate(counted.durations) if n}
    assert found == {0.001: 2, 0.003: 1, 10.0: 1, None: 1}
    tallies.note(failed(1, "gone", "lost"))
    assert tallies.counted().durations == counted.durations, "how long a lost attempt ran nobody knows"


def test_lines_that_differ_in_numbers_are_one_kind_of_failure() -> None:
    tallies = Tallies()
    for number in range(5):
        tallies.note(failed(number, f"Error {number}: unbalanced at {300 * number} s\nTraceback …"))
    tallies.note(failed(9, "another"))
    first, second = tallies.counted().alike
    assert (first.count, first.latest.row, first.latest.line) == (5, 4, "Error 4: unbalanced at 1200 s")
    assert (second.count, second.latest.line) == (1, "another")


def test_the_latest_failures_come_first_and_are_few() -> None:
    tallies = Tallies()
    for number in range(LATEST + 5):
        tallies.note(failed(number, "E"))
    assert [one.row for one in tallies.counted().latest] == list(range(LATEST + 4, 4, -1))


def test_what_is_frequent_is_found_among_more_kinds_than_are_kept() -> None:
    tallies = Tallies()
    letters = "abcdefghijklmnopqrstuvwxyz"
    for number in range(20 * ALIKE):
        tallies.note(
            failed(number, f"{letters[number % 26]}{letters[number // 26 % 26]}{'x' * (number // 676)}")
        )
        if number % 10 == 0:
            tallies.note(failed(number, "the frequent one"))
    counted = tallies.counted()
    assert len(counted.alike) == ALIKE
    assert counted.alike[0].latest.line == "the frequent one"
    assert counted.alike[0].count >= 2 * ALIKE
    assert counted.alike[-1].at_most, "what took the place of another may have been rarer than its count"


def test_a_long_line_and_none_at_all() -> None:
    tallies = Tallies()
    tallies.note(failed(1, "x" * 10_000))
    tallies.note(failed(2, ""))
    second, first = tallies.counted().latest
    assert (len(first.line), second.line) == (LONGEST_LINE, "no message")


def test_the_time_of_nodes_adds_up() -> None:
    tallies = Tallies()
    for now, nodes in ((10.0, 3), (20.0, 5), (22.0, 0), (100.0, 1)):
        tallies.note_nodes(now, nodes)
    assert tallies.counted().node_seconds == 10 * 3 + 2 * 5
