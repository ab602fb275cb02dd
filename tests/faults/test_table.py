"""docs/faults.md: what was not broken this time keeps its section."""

from __future__ import annotations

from faults.table import LOCAL, SWARM, page


def test_a_section_that_was_not_told_of_stays_as_it_was() -> None:
    both = page(
        {
            LOCAL.title: [("the queue is killed", "1, 6", "goes on")],
            SWARM.title: [("a", "1", "2 s", "0", "–")],
        },
        "",
    )
    assert "| the queue is killed | 1, 6 | goes on |" in both
    assert both.index(LOCAL.title) < both.index(SWARM.title)
    again = page({SWARM.title: [("b", "0", "3 s", "0", "–")]}, both)
    assert "| the queue is killed | 1, 6 | goes on |" in again
    assert "| a | 1 | 2 s | 0 | – |" not in again
    assert "| b | 0 | 3 s | 0 | – |" in again
    assert page({}, again) == again
