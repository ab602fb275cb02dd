"""What the figures of the matrix mean, told from times alone."""

from __future__ import annotations

from .evidence import Slots, busy_again, waits
from .pair import Begun


def begun(*times: tuple[int, float]) -> list[Begun]:
    return [Begun(n, at, "worker-1") for n, at in sorted(times, key=lambda one: one[1])]


def test_a_job_waits_since_the_fault_when_it_was_at_hand() -> None:
    found = waits(begun((1, 0.0), (2, 1.0), (2, 31.0), (3, 12.0)), moment=10.0)
    assert found == {1: -10.0, 2: 21.0, 3: 0.0}


def test_a_job_that_was_to_come_waits_since_those_after_it_began() -> None:
    assert waits(begun((1, 0.0), (2, 80.0), (3, 50.0), (4, 60.0)), moment=10.0)[2] == 30.0


def test_busy_again_is_the_end_of_the_last_standstill_after_the_fault() -> None:
    steady = [(float(at), at + 0.9) for at in range(60)]
    stopped = [(0.0, 0.9), (1.0, 9.0), (25.0, 25.9)]
    before = [(0.0, 1.0), (8.0, 12.0), (12.1, 13.0)]
    slots: Slots = {"worker-1/0": steady, "worker-1/1": stopped, "worker-2/0": before}
    assert busy_again(slots, moment=10.0) == 15.0
    assert busy_again({"worker-1/0": steady, "worker-2/0": before}, moment=10.0) is None
