"""kill -9 of each part in the middle: no recorded job runs again, every row once, nothing left running."""

from __future__ import annotations

import json
import os
import signal

import pytest

from faults.harness import Study, Tell

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults")]


def assert_whole(study: Study, recorded: set[int]) -> None:
    table = study.table()
    assert [int(line["n"]) for line in table] == list(range(1, study.jobs + 1)), "every row once, in order"
    assert {line["status"] for line in table} == {"done"}
    assert all(int(line["square"]) == int(line["n"]) ** 2 for line in table)
    ran = study.ran()
    assert {n: ran[n] for n in recorded if ran[n] != 1} == {}, "a recorded job ran again"
    assert study.left_running() == []


MIDDLE = 6
MOMENTS = (MIDDLE, *(pytest.param(done, marks=pytest.mark.faults) for done in (1, 20, 38)))
"""Jobs done when it happens. `make test` has the first, `make faults` all of them."""

PARTS = ("queue", "files", "controller", "supervisor", "worker", "runner")


@pytest.mark.parametrize("done", MOMENTS)
@pytest.mark.parametrize("victim", PARTS)
def test_a_part_is_killed_and_the_study_ends_as_if_not(
    study: Study, victim: str, done: int, tell: Tell
) -> None:
    apply, recorded = study.under_way(done)
    os.kill(study.part(victim), signal.SIGKILL)
    code, events, err = study.finish(apply)
    failed = events[-1]["failed"]
    if victim == "runner":  # the job it was in is that job's recorded crash: one job, at most
        assert code in (0, 4), err
        assert failed <= 1
        code, _, err = study.run("retry", "--json")
    assert code == 0, err
    assert_whole(study, recorded)
    tell(
        f"the {victim} is killed",
        done,
        "the job it was in is a recorded crash" if failed else "goes on by itself",
    )


@pytest.mark.parametrize("done", MOMENTS)
def test_apply_is_killed_and_applied_again(study: Study, done: int, tell: Tell) -> None:
    apply, recorded = study.under_way(done)
    apply.kill()
    apply.communicate()
    code, _, err = study.run("apply", "--json")
    assert code == 0, err
    assert_whole(study, recorded)
    tell("`apply` is killed, then applied again", done, "goes on where it was")


STEPS = {
    "the lock gets its name": ("os.rename", "ensemble.lock"),
    "the plan it keeps gets its name": ("os.rename", "/plans/ .cbplan"),
    "the plan it keeps is noted": ("open", "applied.jsonl 'a+'"),
    "the queue is started": ("subprocess.Popen", "valkey"),
    "the controller is started": ("subprocess.Popen", "cloudburst.run.controller"),
    "the supervisor is started": ("subprocess.Popen", "supervise"),
    "the table gets its name": ("os.rename", "faults.csv"),
}
"""What `apply` does, and how Python's audit tells of it."""


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(step, marks=() if step == "the plan it keeps is noted" else pytest.mark.faults)
        for step in STEPS
    ],
)
def test_apply_is_killed_just_before_a_step_and_applied_again(study: Study, step: str, tell: Tell) -> None:
    study.write(pause=0)
    study.kill_before(*STEPS[step], "apply", "--json")
    done = study.recorded_so_far()
    code, _, err = study.run("apply", "--json")
    assert code == 0, err
    assert_whole(study, done)
    assert study.partial() == []
    assert study.run("plan", "--detailed-exitcode")[0] == 0, "there is something to do"
    assert len(json.loads(study.run("show", "--json")[1])["applied"]) == 1
    tell(f"`apply` is killed just before {step}, then applied again", len(done), "ends as if not")


@pytest.mark.parametrize("done", MOMENTS)
def test_apply_is_killed_and_left_alone(study: Study, done: int, tell: Tell) -> None:
    apply, _ = study.under_way(done)
    apply.kill()
    apply.communicate()
    study.until_nothing_runs()
    recorded = study.recorded()
    assert sum(study.ran().values()) - len(recorded) <= 2, "only the jobs at hand may have been cut short"
    assert study.run("apply", "--json")[0] == 0
    assert_whole(study, recorded)
    tell("`apply` is killed and left alone", done, "every part ends by itself, jobs at hand are cut short")


@pytest.mark.parametrize("done", MOMENTS)
def test_everything_is_killed_at_once_and_applied_again(study: Study, done: int, tell: Tell) -> None:
    apply, recorded = study.under_way(done)
    parts = [study.part(name) for name in ("supervisor", "controller", "queue", "files")]
    for pid in (apply.pid, *parts):
        os.kill(pid, signal.SIGKILL)
    apply.communicate()
    code, _, err = study.run("apply", "--json")
    assert code == 0, err
    assert_whole(study, recorded)
    tell("everything is killed at once, then applied again", done, "goes on where it was")


def test_ctrl_c_lets_running_jobs_finish_and_apply_goes_on(study: Study) -> None:
    study.write(pause=0.15)
    apply = study.start("apply", "--json")
    study.until_done(apply, 6)
    apply.send_signal(signal.SIGINT)
    code, events, err = study.finish(apply)
    assert code == 130, err
    assert events[-1]["state"] == "stopped"
    assert sum(study.ran().values()) == len(study.recorded()) < study.jobs, "what had begun was recorded"
    assert study.left_running() == []
    recorded = study.recorded()
    assert study.run("apply", "--json")[0] == 0
    assert_whole(study, recorded)


def test_ctrl_c_twice_stops_now(study: Study) -> None:
    study.write(pause=30)
    apply = study.start("apply", "--json")
    assert apply.stdout is not None
    assert any('"running": 2' in line for line in apply.stdout)
    apply.send_signal(signal.SIGINT)
    assert any('"pausing"' in line for line in apply.stdout)
    apply.send_signal(signal.SIGINT)
    code, _, err = study.finish(apply)
    assert code == 130, err
    assert study.left_running() == []


def test_a_second_time_there_is_nothing_to_do(study: Study) -> None:
    study.write(pause=0)
    assert study.run("apply", "--json")[0] == 0
    ran = study.ran()
    code, out, err = study.run("apply")
    assert code == 0, err
    assert "nothing to do" in (out + err).lower()
    assert study.ran() == ran


def test_two_at_once_the_second_is_told_who_holds_it(study: Study) -> None:
    study.write(pause=0.15)
    apply = study.start("apply", "--json")
    study.until_done(apply, 1)
    code, _, err = study.run("apply")
    assert code == 1
    assert str(apply.pid) in err
    assert "busy" in err
    assert study.finish(apply)[0] == 0
