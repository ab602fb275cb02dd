"""Jobs wait and nobody works: said after a while, and not when there is a reason."""

from __future__ import annotations

import pytest

from cloudburst.run.alarm import Alarm
from cloudburst.run.nodes import Nodes

READY = Nodes(({"node": "a", "state": "ready", "slots": 4, "busy": 0},))
BROKEN = Nodes(({"node": "a", "state": "broken", "slots": 4, "busy": 0},))


@pytest.mark.parametrize(
    ("nodes", "why"),
    [
        (Nodes(), "no node reports; are the workers running?"),
        (READY, "4 slots are free; the workers' log says more"),
        (BROKEN, "every node is broken or leaving; its detail says why"),
    ],
)
def test_after_half_a_minute_it_is_said(nodes: Nodes, why: str) -> None:
    alarm = Alarm()
    alarm.note(0.0, 0, 0, nodes)
    alarm.note(100.0, 12, 0, nodes)
    assert alarm.sentence(129.0) == ""
    alarm.note(131.0, 12, 0, nodes)
    assert alarm.sentence(140.0) == f"12 batches in the queue, and nobody works for 40 s: {why}"


def test_whatever_moves_ends_it() -> None:
    for waiting, ended, nodes in [
        (0, 5, READY),
        (12, 6, READY),
        (12, 5, Nodes(({"state": "ready", "slots": 4, "busy": 1},))),
        (12, 5, Nodes(({"state": "preparing", "slots": 0, "busy": 0},))),
    ]:
        alarm = Alarm()
        for now in (0.0, 1.0, 60.0):
            alarm.note(now, 12, 5, READY)
        assert alarm.sentence(60.0)
        alarm.note(61.0, waiting, ended, nodes)
        assert alarm.sentence(1000.0) == ""
