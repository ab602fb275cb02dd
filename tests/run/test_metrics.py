"""`/metrics`, read by Prometheus' own parser."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cloudburst.run import secrets
from cloudburst.run.http import request
from cloudburst.run.metrics import make_metrics
from cloudburst.run.tallies import BUCKETS, Tallies

from .conftest import FAILED, ORDER, PlayedWorker, Server, until
from .test_controller import Controlled
from .test_status_page import EVIL, node, sight
from .test_tallies import failed, outcome


def read(text: str) -> dict[str, dict[frozenset[tuple[str, str]], float]]:
    """Sample's name -> labels -> value. Every family has its help and type, none comes twice."""
    found: dict[str, dict[frozenset[tuple[str, str]], float]] = {}
    families = list(text_string_to_metric_families(text))
    assert len({family.name for family in families}) == len(families)
    for family in families:
        assert family.documentation
        assert family.type in {"counter", "gauge", "histogram"}
        for sample in family.samples:
            assert sample.name.startswith("cloudburst_")
            labels = frozenset(sample.labels.items())
            assert labels not in found.setdefault(sample.name, {})
            found[sample.name][labels] = sample.value
    return found


def by(samples: dict[frozenset[tuple[str, str]], float]) -> dict[str, float]:
    """Samples with one label each, by its value."""
    return {dict(labels).popitem()[1]: value for labels, value in samples.items()}


ALONE: frozenset[tuple[str, str]] = frozenset()


def test_jobs_are_each_in_one_state() -> None:
    found = read(make_metrics(sight()))
    jobs = by(found["cloudburst_jobs"])
    assert jobs == {"recorded": 100, "done": 412, "failed": 8, "running": 7, "queued": 40, "unsent": 433}
    assert sum(jobs.values()) == 1000
    assert by(found["cloudburst_state"]) == {
        state: float(state == "running")
        for state in ("idle", "starting", "running", "pausing", "paused", "finished", "broken")
    }


def test_durations_are_a_histogram() -> None:
    tallies = Tallies()
    for seconds in (0.0005, 0.02, 0.02, 90.0, 1e6):
        tallies.note(outcome(seconds=seconds))
    found = read(make_metrics(sight(tallies)))
    buckets = {float(le): n for le, n in by(found["cloudburst_job_duration_seconds_bucket"]).items()}
    assert sorted(buckets) == [*BUCKETS, float("inf")]
    assert (buckets[0.001], buckets[0.03], buckets[60.0], buckets[180.0], buckets[float("inf")]) == (
        1,
        3,
        3,
        4,
        5,
    )
    assert found["cloudburst_job_duration_seconds_count"][ALONE] == 5
    assert found["cloudburst_job_duration_seconds_sum"][ALONE] == pytest.approx(1_000_090.0405)


def test_what_cannot_be_known_is_absent() -> None:
    found = read(make_metrics(sight(study="", state="idle", seconds_left=None)))
    assert "cloudburst_time_left_seconds" not in found
    assert "cloudburst_study_info" not in found
    assert "cloudburst_sink_points_total" not in found
    assert not [name for name in found if "cost" in name], "nothing is rented: there is no price"


def test_names_of_users_cannot_break_the_format() -> None:
    name = f"{EVIL}\\ \n {{}}"
    sink = {"sink": name, "points": 201_900, "waiting": 3, "problem": ""}
    found = read(make_metrics(sight(study=name, sinks=[sink], nodes=[node("a", state=name)])))
    assert found["cloudburst_study_info"] == {frozenset({("study", name)}): 1}
    assert by(found["cloudburst_sink_points_total"]) == {name: 201_900}
    assert by(found["cloudburst_sink_waiting"]) == {name: 3}
    assert by(found["cloudburst_nodes"])[name] == 1


def test_attempts_and_machines() -> None:
    tallies = Tallies()
    for one in (outcome(), failed(1, "x"), failed(2, "x", "memory")):
        tallies.note(one)
    tallies.note_lost(2)
    tallies.note_waiting(17)
    tallies.note_nodes(0.0, 4)
    tallies.note_nodes(2.5, 4)
    found = read(make_metrics(sight(tallies)))
    ends = by(found["cloudburst_attempts_total"])
    assert ends == {"done": 1, "error": 1, "crash": 0, "timeout": 0, "memory": 1, "lost": 0}
    assert found["cloudburst_batches_lost_total"][ALONE] == 2
    assert found["cloudburst_queue_messages"][ALONE] == 17
    assert found["cloudburst_node_seconds_total"][ALONE] == 10
    assert (found["cloudburst_slots"][ALONE], found["cloudburst_slots_busy"][ALONE]) == (8, 7)
    assert by(found["cloudburst_nodes"])["ready"] == 2


@pytest.fixture
def controlled(server: Server, tmp_path: Path) -> Iterator[Controlled]:
    one = Controlled(server, tmp_path, "tests.run.played_controller")
    yield one
    one.kill()


@pytest.mark.slow
def test_a_real_run_says_what_its_ledger_holds(controlled: Controlled, worker: PlayedWorker) -> None:
    endings: list[dict[str, Any]] = [{}, {}, {**FAILED, "kind": "crash"}, FAILED]
    numbers = iter(range(10_000))

    def over() -> bool:
        worker.report()
        while batch := worker.take():
            for job in batch["jobs"]:
                worker.start(batch, job)
                worker.end(batch, job, **endings[next(numbers) % 4])
            worker.finish(batch)
        return bool(controlled.status()["state"] == "finished")

    controlled.client.put_study({"waves": 60, "retries": 1}, ORDER)
    until(over)
    found = ask(controlled)
    with controlled.ledger() as ledger:
        attempts = [x for outcome in ledger for x in ledger.attempts(outcome["id"])]
    kinds = Counter(x["kind"] or "done" for x in attempts)
    ends = by(found()["cloudburst_attempts_total"])
    assert {kind: n for kind, n in ends.items() if n} == kinds
    assert found()["cloudburst_job_duration_seconds_count"][ALONE] == len(attempts)
    status = controlled.status()
    jobs = by(found()["cloudburst_jobs"])
    assert (jobs["done"], jobs["failed"], jobs["unsent"]) == (status["done"], status["failed"], 0)
    assert sum(jobs.values()) == 60
    assert found()["cloudburst_study_info"] == {frozenset({("study", "waves")}): 1}


def ask(controlled: Controlled) -> Callable[[], dict[str, dict[frozenset[tuple[str, str]], float]]]:
    token = secrets.read(controlled.home / "secrets", secrets.VIEW_TOKEN)
    return lambda: read(request(controlled._address, "GET", "/metrics", token=token).body.decode())


def test_the_page_about_them_names_them_all() -> None:
    page = (Path(__file__).parents[2] / "docs" / "status-page.md").read_text("utf-8")
    named = set(re.findall(r"`(cloudburst_\w+)(?:\{\w+\})?`", page))
    sinks = [{"sink": "s", "points": 1, "waiting": 0, "problem": ""}]
    families = text_string_to_metric_families(make_metrics(sight(sinks=sinks)))
    totals = {f"{x.name}_total" if x.type == "counter" else x.name for x in families}
    assert named == totals
