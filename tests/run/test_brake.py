from __future__ import annotations

from cloudburst.run.brake import ALIKE, Brake


def fail(
    brake: Brake, count: int, error: str = "ValueError: row {n} is bad at 0x7f{n}\nTraceback"
) -> list[str]:
    return [brake.note_failed(f"{n:020x}", error.format(n=n)) for n in range(count)]


def test_the_first_failures_alike_but_for_numbers_stop_the_study() -> None:
    said = fail(Brake(None, first=True), ALIKE)
    assert not any(said[:-1])
    assert said[-1] == (
        "the first 20 jobs all ended in the same error: ValueError: row 19 is bad at 0x7f19"
        " (cloudburst logs 00000000000000000013)"
    )


def test_one_job_that_goes_well_or_fails_otherwise_is_enough_to_go_on() -> None:
    brake = Brake(None, first=True)
    fail(brake, 5)
    brake.note_done()
    assert not any(fail(brake, 100))
    brake = Brake(None, first=True)
    brake.note_failed("f" * 20, "KeyError: 'x'")
    assert not any(fail(brake, 100))


def test_attempts_of_one_job_count_once() -> None:
    brake = Brake(None, first=True)
    assert not any(brake.note_failed("0" * 20, "killed") for _ in range(100))


def test_a_run_that_has_ended_jobs_already_is_past_its_first() -> None:
    assert not any(fail(Brake(None, first=False), 100))


def test_max_failures_as_a_count_and_as_a_part() -> None:
    assert not Brake(3, first=True).judge(3, 100)
    assert (
        Brake(3, first=True).judge(4, 100)
        == "4 of 100 jobs failed, more than max_failures: 3 (cloudburst failures)"
    )
    assert not Brake(0.05, first=True).judge(5, 100)
    assert "more than max_failures: 5%" in Brake(0.05, first=True).judge(6, 100)
    assert Brake(0, first=True).judge(1, 100)
    assert not Brake(None, first=True).judge(100, 100)


def test_going_on_allows_as_many_again() -> None:
    brake = Brake(3, first=True)
    brake.release(4)
    assert not brake.judge(7, 100)
    assert brake.judge(8, 100)
