from __future__ import annotations

from cloudburst.run.recovery import Sighting, Watch

LIVE = ("waits", "taken", "held", "gone")


def seen(*, queued: str = "waits", taken: str = "taken", held: str = "held") -> Sighting:
    return Sighting(frozenset({queued}), frozenset({taken}), {held: "node-1/0"})


def test_what_is_nowhere_twice_is_lost() -> None:
    watch = Watch(15.0)
    assert watch.lost(LIVE, seen(), 0.0) == ()
    assert watch.lost(LIVE, seen(), 3.0) == ("gone",)


def test_what_turns_up_again_is_not() -> None:
    watch = Watch(15.0)
    watch.lost(LIVE, seen(), 0.0)
    assert watch.lost(LIVE, seen(held="gone"), 3.0) == ()
    assert watch.lost(("gone",), seen(), 6.0) == ()


def test_what_was_taken_and_is_not_held_is_lost_after_a_lease() -> None:
    watch = Watch(15.0)
    live = ("taken",)
    assert [watch.lost(live, seen(), now) for now in (0.0, 3.0, 15.0)] == [(), (), ()]
    assert watch.lost(live, seen(), 15.1) == ("taken",)


def test_nothing_is_lost_for_a_lease_after_the_queue_was_away() -> None:
    watch = Watch(15.0)
    watch.lost(LIVE, seen(), 0.0)
    watch.be_patient(1.0)
    assert watch.lost(LIVE, seen(), 3.0) == ()
    assert watch.lost(LIVE, seen(), 15.9) == ()
    assert watch.lost(LIVE, seen(), 16.1) == ()
    assert watch.lost(LIVE, seen(), 19.1) == ("gone",)


def test_who_held_a_batch_when_the_queue_went_away_has_a_while_longer() -> None:
    watch = Watch(15.0, 45.0)
    watch.be_patient(0.0, held=["gone"])
    assert [watch.lost(("gone",), seen(), now) for now in (20.0, 44.9, 45.0)] == [(), (), ()]
    assert watch.lost(("gone",), seen(), 48.0) == ("gone",)


def test_who_came_back_after_that_is_watched_as_before() -> None:
    watch = Watch(15.0, 45.0)
    watch.spare(0.0, ["gone"])
    assert watch.lost(LIVE, seen(held="gone"), 3.0) == ()
    assert watch.lost(("gone",), seen(), 6.0) == ()
    assert watch.lost(("gone",), seen(), 9.0) == ("gone",)


def test_records_of_no_live_batch_are_strays_the_second_time() -> None:
    watch = Watch()
    assert watch.strays(["a", "held"], LIVE) == ()
    assert watch.strays(["a", "b"], LIVE) == ("a",)
    assert watch.strays(["b"], LIVE) == ("b",)
