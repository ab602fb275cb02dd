"""Laws of estimates: more slots never take longer, ranges hold what is expected, parts make the whole."""

from __future__ import annotations

import math
import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cloudburst.compile.advice import advice, options
from cloudburst.compile.estimates import CONFIDENCE, Effort, Tally, expect, wall

seconds = st.lists(st.floats(0.001, 1e5), min_size=1, max_size=20)
blocks = st.dictionaries(st.sampled_from("abcde"), st.tuples(st.integers(1, 10**6), seconds), min_size=1)


@st.composite
def efforts(draw: st.DrawFn) -> Effort:
    found = draw(blocks)
    left = {name: jobs for name, (jobs, _) in found.items()}
    ended = {name: took for name, (_, took) in found.items() if draw(st.booleans())}
    ended = ended or {name: took for name, (_, took) in found.items()}
    effort = expect(Tally(left, ended), again=draw(st.integers(0, 5)))
    assert effort is not None
    return effort


slots = st.integers(1, 5000)


def at_most(one: float, other: float) -> bool:
    """But for the last bits."""
    return one <= other * (1 + 1e-9)


@given(efforts(), slots, slots)
def test_more_slots_never_take_longer(effort: Effort, one: int, other: int) -> None:
    few, many = wall(effort, min(one, other)), wall(effort, max(one, other))
    assert at_most(many.mid, few.mid)
    if few.low is not None and few.high is not None and many.low is not None and many.high is not None:
        assert at_most(many.low, few.low)
        assert at_most(many.high, few.high)


@given(efforts(), slots)
def test_ranges_hold_what_is_expected(effort: Effort, at_once: int) -> None:
    for span in (effort.seconds, wall(effort, at_once)):
        assert (span.low is None) == (span.high is None)
        if span.low is not None and span.high is not None:
            assert 0 <= span.low <= span.mid <= span.high


@given(efforts(), slots)
def test_it_takes_no_longer_than_one_after_another_and_no_shorter_than_all_at_once(
    effort: Effort, at_once: int
) -> None:
    took = wall(effort, at_once)
    assert at_most(took.mid, effort.seconds.mid)
    assert at_most(effort.seconds.mid / at_once, took.mid)
    assert took.high is None or effort.seconds.high is None or at_most(took.high, effort.seconds.high)


@given(efforts())
def test_parts_make_the_whole(effort: Effort) -> None:
    assert sum(part.jobs for part in effort.parts) == effort.jobs
    assert math.isclose(math.fsum(part.seconds for part in effort.parts), effort.seconds.mid, rel_tol=1e-9)


@given(efforts(), st.integers(1, 40), st.integers(1, 8), st.decimals("0.01", "1", places=3))
def test_options_tell_the_same_story(effort: Effort, workers: int, each: int, price) -> None:  # type: ignore[no-untyped-def]
    found = options(effort, workers, workers * each, price, 2 * price)
    assert [one.workers for one in found if one.is_written] == [workers]
    assert {1, workers, 2 * workers} <= {one.workers for one in found}
    assert all(at_most(after.wall.mid, before.wall.mid) for before, after in pairwise(found))
    written = next(one for one in found if one.is_written)
    if advice(found).startswith(("more would", "fewer would")):
        assert min(one.cost for one in found) < written.cost


def test_the_range_holds_as_often_as_it_says() -> None:
    """Drawn many times over: five probes of each of two blocks, the sum of forty jobs of one and ten of the other."""
    dice, held, times = random.Random(2018), 0, 2000
    for _ in range(times):
        draw = {"a": lambda: dice.gauss(10, 2), "b": lambda: dice.gauss(100, 5)}
        left = {"a": 40, "b": 10}
        effort = expect(Tally(left, {name: [take() for _ in range(5)] for name, take in draw.items()}))
        assert effort is not None
        truth = sum(take() for name, take in draw.items() for _ in range(left[name]))
        assert effort.seconds.low is not None
        assert effort.seconds.high is not None
        held += effort.seconds.low <= truth <= effort.seconds.high
    assert abs(held / times - CONFIDENCE) < 0.03
