from __future__ import annotations

import pytest

from cloudburst.run.sizing import AHEAD_BYTES, Ahead, Pace, Rate, batch_jobs, wants_more


@pytest.mark.parametrize(
    ("mean", "slots", "remaining", "jobs"),
    [
        (None, 2, 10_000, 1),  # nothing is known yet
        (0.05, 2, 10_000, 20),  # a second of work
        (0.05, 1200, 1_000_000, 80),  # four seconds: 300 messages a second are enough
        (60.0, 2, 10_000, 1),
        (1e-6, 2, 10_000_000, 1000),  # never more
        (0.05, 2, 40, 10),  # towards the end: a share of what remains
        (0.05, 2, 3, 1),
        (0.0, 2, 10_000_000, 1000),
    ],
)
def test_a_batch_is_a_second_of_work_and_less_towards_the_end(
    mean: float | None, slots: int, remaining: int, jobs: int
) -> None:
    assert batch_jobs(mean, slots, remaining) == jobs


@pytest.mark.parametrize(
    ("ahead", "mean", "more"),
    [
        (Ahead(3, 3, 0), None, True),
        (Ahead(4, 4, 0), None, False),  # two messages for each of two slots
        (Ahead(4, 40, 0), 1.0, True),
        (Ahead(60, 60, 0), 1.0, False),  # half a minute for each slot
        (Ahead(3, 3, AHEAD_BYTES), None, False),
        (Ahead(1000, 1000, 0), 1e-6, False),
    ],
)
def test_half_a_minute_is_sent_ahead_within_bounds(ahead: Ahead, mean: float | None, more: bool) -> None:
    assert wants_more(ahead, mean, 2) is more


def test_the_mean_follows_the_last_hundred() -> None:
    pace = Pace()
    assert pace.mean is None
    for seconds in [1.0, 3.0]:
        pace.note(seconds)
    assert pace.mean == 2.0
    for _ in range(1000):
        pace.note(10.0)
    assert pace.mean == pytest.approx(10.0, rel=1e-3)


def test_the_rate_is_of_the_last_half_minute_and_falls_when_nothing_ends() -> None:
    rate = Rate()
    assert rate.per_second(0.0) == 0.0
    for second in range(100):
        rate.note(float(second), 5)
    assert rate.per_second(99.0) == pytest.approx(5.0)
    assert rate.per_second(119.0) < 3.0
    assert rate.per_second(200.0) == 0.0
