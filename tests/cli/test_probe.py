"""`cloudburst probe`: a few rows are computed, kept, and say what the rest will take."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cloudburst import assets


@pytest.mark.slow
def test_what_was_probed_is_estimated_from_and_not_computed_again(
    study: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each job leaves a line of its own, so that one that runs twice is seen."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    log = tmp_path / "ran"
    noting = f"    with open({str(log)!r}, 'a') as log:\n        log.write(f'{{inflow}} {{height}}\\n')\n"
    study.write({"model/tank.py": study.read("model/tank.py").replace("area):\n", f"area):\n{noting}")})
    rents = study.read("ensemble.yaml") + (
        "cluster:\n  provider: {digitalocean: {region: nyc3, manager: s-2vcpu-4gb, worker: s-4vcpu-8gb}}\n"
        "  workers: 3\n  max_cost: 25 USD\n"
    )
    study.write({"ensemble.yaml": rents})
    assert study.run("plan", "--offline", "--json").json["effort"] is None

    ended = study.run("probe", "-n", "3")
    assert (ended.code, "trying 3 of 8 rows: 0, 3, 7" in ended.err) == (0, True)
    assert ended.out.startswith("Tried 3 rows: 3 done, in ")
    assert "by 3 jobs that ended" in ended.out
    assert len(log.read_text().splitlines()) == 3
    assert "results/tanks.csv" not in study.names, "tables are for apply to write"

    plan = study.run("plan", "--offline", "--json").json
    jsonschema.validate(plan, json.loads(assets.schema("plan").read_text("utf-8")))
    assert (plan["counts"]["done"], plan["counts"]["to_do"]) == (3, 5)
    assert (plan["effort"]["jobs"], plan["effort"]["from"], plan["effort"]["slots"]) == (5, 3, 12)
    low, mid, high = plan["effort"]["cpu_hours"]
    assert 0 <= low <= mid <= high
    assert plan["cluster"]["listed"]["estimate"]["likely"] is not None
    said = study.run("plan", "--offline").out
    assert "3     12  0.250" in said
    assert "as written" in said

    again = study.run("probe", "-n", "3", "--json").lines[-1]
    assert (again["state"], again["computed"], again["done"]) == ("nothing to do", 0, 3)

    failed = study.run("probe", "-n", "8")
    assert failed.code == 4
    assert "Tried 8 rows: 7 done, 1 failed" in failed.out
    assert "ValueError: the tank overflows" in failed.out
    assert "shows one that failed" in failed.out

    applied = study.run("apply", "--local")
    assert (applied.code, applied.out.splitlines()[0]) == (
        4,
        "Nothing to do: 7 done before, 1 job failed before.",
    )
    ran = log.read_text().splitlines()
    assert len(ran) == len(set(ran)) == 8


def test_how_many_has_to_be_a_number_of_rows(study: Any) -> None:
    assert study.run("probe", "-n", "0").code == 2
    assert study.run("probe", "none.yaml").code == 2


def test_what_is_known_already_is_said_at_once(computed: Any) -> None:
    """All of its rows were computed before: nothing is started."""
    ended = computed.run("probe", "--json")
    assert ended.code == 4
    (document,) = ended.lines
    assert (document["event"], document["state"], document["rows"]) == (
        "probe",
        "nothing to do",
        [0, 1, 3, 5, 7],
    )
    assert [failure["row"] for failure in document["failures"]] == [5]
    assert document["effort"] is None, "nothing is left"
    assert "5 rows tried before: 4 done, 1 failed." in computed.run("probe").out


def test_plan_says_what_is_left_by_block_and_in_words(computed: Any) -> None:
    text = computed.read("ensemble.yaml").replace("inflow: [1, 2, 3]", "inflow: [1, 2, 3, 4]")
    computed.write({"ensemble.yaml": text + "cluster: {slots: 2}\n"})
    plan = computed.run("plan", "--json").json
    assert plan["effort"]["blocks"] == [{"block": "main", "jobs": 3, "from": 8, "seconds": 0.28125}]
    said = " ".join(computed.run("plan").out.split())
    assert "with 2 jobs at a time" in said
    assert "by 8 jobs that ended, ranges hold 90% of the time" in said
