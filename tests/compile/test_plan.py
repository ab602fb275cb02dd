"""The plan as data: what it counts, shows and would do, in a form its schema describes."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from decimal import Decimal
from typing import Any

import jsonschema
import pytest

from cloudburst import assets
from cloudburst.compile import plan as room
from cloudburst.compile.difference import causes
from cloudburst.compile.fleet import Machine, Wanted
from cloudburst.compile.jobs import Jobs, make_jobs
from cloudburst.compile.lockfile import Dependencies, Lock
from cloudburst.compile.payload import Payload
from cloudburst.compile.plan import (
    Edited,
    InputUsed,
    Plan,
    Surroundings,
    count,
    outline,
    with_rental,
)
from cloudburst.compile.rental import rented
from cloudburst.compile.repeats import Seen
from cloudburst.compile.space import make_space
from cloudburst.diagnostics import Diagnostic
from cloudburst.spec.ensemble import (
    Axis,
    Block,
    Cluster,
    Counted,
    Ensemble,
    FilesSink,
    Fixed,
    InfluxSink,
    Listed,
    Needs,
    Replicates,
    Retries,
    TableSink,
    Take,
    Value,
    Worker,
)

PAYLOAD = Payload("ab" * 32, 1234, ("net3.py",), ())
LOCKED = Dependencies("locked", "", Lock("3.11", "cd" * 32, "requirements.txt", ""))
AROUND = Surroundings("ensemble.yaml", "ensemble.lock", LOCKED, PAYLOAD)


def axis(name: str, *values: Value) -> Axis:
    return Axis(name, Listed(values), ("parameters", "grid", name))


def study(*sources: Any, **changes: Any) -> Ensemble:
    block = Block("main", (Fixed("hours", 168, ()),), sources, (), (), ("parameters",))
    worker = Worker("net3", "net3:work", None, None, None, Retries(), Needs(), "process", ())
    results = (TableSink("results/net3.csv", ("results", 0)),)
    ensemble = Ensemble("net3", 2018, worker, (), (block,), None, Cluster(), results)
    return replace(ensemble, **changes)


NET3 = study(axis("spread", 0.1, 0.2, 0.3), axis("demand", 1, 2), Replicates(5, "seed", ()))


class Ledger:
    """What was computed, by id; asked like the real one."""

    def __init__(self, states: dict[str, Any]) -> None:
        self.known = states
        self.payloads: set[str] = set()

    def states(self, ids: Any, payload: str, *, keep_stale: bool = False) -> dict[str, Any]:
        self.payloads.add(payload)
        return {one: self.known[one] for one in ids if one in self.known}


def jobs_of(ensemble: Ensemble) -> Jobs:
    return make_jobs(ensemble, make_space(ensemble), {})


def planned(
    ensemble: Ensemble,
    recorded: Any = None,
    around: Surroundings = AROUND,
    selected: Any = None,
    **known: Any,
) -> Plan:
    jobs = jobs_of(ensemble)
    drawn = outline(ensemble, jobs, around, selected)
    return count(drawn, jobs, recorded, lambda: {"normal": {"name": ensemble.name}}, **known)


def check_form(plan: Plan) -> dict[str, Any]:
    """The JSON form, after the schema agreed and through text and back."""
    form = json.loads(json.dumps(plan.to_json()))
    jsonschema.Draft7Validator(json.loads(assets.schema("plan").read_text())).validate(form)
    return form


def told(plan: Plan) -> list[tuple[str, str, str, str]]:
    return [(action.mark, action.verb, action.address, action.reason) for action in plan.actions]


def test_an_outline_has_arithmetic_and_preview_and_nothing_counted():
    plan = outline(NET3, jobs_of(NET3), AROUND)
    form = check_form(plan)
    assert form["arithmetic"] == [
        {
            "block": "main",
            "factors": [
                {"name": "spread", "count": 3, "unit": None},
                {"name": "demand", "count": 2, "unit": None},
                {"name": "replicates", "count": 5, "unit": None},
            ],
            "product": 30,
            "merged": 0,
            "excluded": 0,
            "untaken": 0,
            "shuffled": False,
            "count": 30,
        }
    ]
    assert [shown["row"] for shown in form["preview"]] == [0, 1, 2, 15, 28, 29]
    assert (form["rows"], form["counts"], form["digest"]) == (30, None, None)


def test_a_previewed_row_is_what_the_job_will_be():
    job = jobs_of(NET3)[29]
    shown = check_form(outline(NET3, jobs_of(NET3), AROUND))["preview"][-1]
    assert shown == {
        "row": 29, "id": job.id, "block": "main", "replicate": 4, "seed": job.row.values["seed"],
        "parameters": {"hours": 168, "spread": 0.3, "demand": 2, "seed": job.row.values["seed"]},
    }  # fmt: skip


@pytest.mark.parametrize(("n", "rows"), [(1, [0]), (2, [0, 1]), (4, [0, 1, 2, 3]), (6, [0, 1, 2, 3, 4, 5])])
def test_a_small_preview_shows_every_row_once(n, rows):
    ensemble = study(axis("a", *range(n)))
    assert [shown.row for shown in outline(ensemble, jobs_of(ensemble), AROUND).preview] == rows


def test_a_million_million_rows_are_planned_at_once():
    ensemble = study(*(Axis(name, Counted(0, 1, 10_000), ()) for name in "abc"), axis("d", *range(1000)))
    form = check_form(planned(ensemble))
    assert form["rows"] == 10**15
    assert [shown["row"] for shown in form["preview"]] == [0, 1, 2, 5 * 10**14, 10**15 - 2, 10**15 - 1]
    assert form["counts"] == {
        "rows": 10**15,
        "jobs": None,
        "done": None,
        "failed": None,
        "stale": None,
        "kept": None,
        "to_do": None,
    }
    assert form["digest"]["over"] == "normal form"
    assert (
        form["actions"][0]["reason"] == "1,000,000,000,000,000 rows, too many to look up which are computed"
    )


def test_more_rows_than_a_machine_word_counts():
    ensemble = study(*(Axis(name, Counted(0, 1, 10_000), ()) for name in "abcdef"))
    assert check_form(planned(ensemble))["rows"] == 10**24


def test_the_first_time_everything_is_to_do():
    plan = planned(NET3)
    assert check_form(plan)["counts"] == {
        "rows": 30,
        "jobs": 30,
        "done": 0,
        "failed": 0,
        "stale": 0,
        "kept": 0,
        "to_do": 30,
    }
    assert told(plan) == [
        ("+", "run", "rows[0:30]", "30 jobs to do"),
        ("~", "write", "results/net3.csv", "the table of results"),
    ]
    assert plan.has_something_to_do


def test_what_is_recorded_is_counted_by_state():
    ids = [job.id for job in jobs_of(NET3)]
    states = (
        dict.fromkeys(ids[:10], "done")
        | dict.fromkeys(ids[10:12], "failed")
        | dict.fromkeys(ids[12:17], "stale")
    )
    ledger = Ledger(states | {"f" * 20: "done"})
    plan = planned(NET3, ledger)
    assert check_form(plan)["counts"] == {
        "rows": 30,
        "jobs": 30,
        "done": 10,
        "failed": 2,
        "stale": 5,
        "kept": 0,
        "to_do": 13,
    }
    assert told(plan) == [
        ("+", "run", "rows[0:30]", "13 jobs to do"),
        ("~", "run again", "rows[0:30]", "5 jobs computed by other worker code or other dependencies"),
        ("~", "write", "results/net3.csv", "the table of results"),
        ("=", "leave", "rows[0:30]", "2 failed (cloudburst retry)"),
    ]
    assert ledger.payloads == {PAYLOAD.digest}


def test_when_all_is_done_there_is_nothing_to_do():
    ledger = Ledger({job.id: "done" for job in jobs_of(NET3)})
    plan = planned(NET3, ledger)
    assert (told(plan), plan.has_something_to_do) == ([], False)


def test_failed_jobs_alone_are_nothing_to_do():
    plan = planned(NET3, Ledger({job.id: "failed" for job in jobs_of(NET3)}))
    assert not plan.has_something_to_do
    assert told(plan) == [("=", "leave", "rows[0:30]", "30 failed (cloudburst retry)")]


def test_rows_with_one_id_are_one_job():
    ensemble = study(axis("spread", 0.1, 0.2), axis("unused", *range(20)), job={"spread": "{{ spread }}"})
    ledger = Ledger({jobs_of(ensemble)[0].id: "done"})
    form = check_form(planned(ensemble, ledger))
    assert form["counts"] == {
        "rows": 40,
        "jobs": 2,
        "done": 1,
        "failed": 0,
        "stale": 0,
        "kept": 0,
        "to_do": 1,
    }


def test_a_selection_considers_its_rows_only():
    ids = [job.id for job in jobs_of(NET3)]
    plan = planned(NET3, Ledger(dict.fromkeys(ids[:2], "done") | {ids[20]: "done"}), selected=(0, 3))
    form = check_form(plan)
    assert (form["rows"], form["selected"]) == (30, [0, 3])
    assert form["counts"] == {"rows": 3, "jobs": 3, "done": 2, "failed": 0, "stale": 0, "kept": 0, "to_do": 1}
    assert [shown["row"] for shown in form["preview"]] == [0, 1, 2]
    assert told(plan)[0] == ("+", "run", "rows[0:3]", "1 job to do")


@pytest.mark.parametrize(
    ("selected", "rows"), [((None, 2), (0, 2)), ((-2, None), (28, 30)), ((5, 99), (5, 30)), ((7, 3), (7, 3))]
)
def test_a_selection_means_what_a_slice_means(selected, rows):
    plan = outline(NET3, jobs_of(NET3), AROUND, selected)
    assert list(plan.rows) == list(range(30))[slice(*rows)]


def test_everything_selected_is_no_selection():
    assert check_form(planned(NET3, selected=(0, 30)))["selected"] is None


def test_the_digest_stands_for_every_job_in_order():
    def digest(ensemble: Ensemble, **how: Any) -> str:
        form = check_form(planned(ensemble, **how))["digest"]
        assert form["over"] == "jobs"
        return form["sha256"]

    same = study(
        axis("spread", 0.1, 0.2, 0.3),
        axis("demand", 1, 2),
        Replicates(5, "seed", ()),
        cluster=Cluster(slots=2),
    )
    turned = study(axis("spread", 0.3, 0.2, 0.1), axis("demand", 1, 2), Replicates(5, "seed", ()))
    assert digest(NET3) == digest(same)
    assert (
        len({digest(NET3), digest(turned), digest(NET3, selected=(0, 29)), digest(NET3, selected=(1, 30))})
        == 4
    )


def test_above_what_is_walked_the_digest_leaves_out_what_changes_no_job():
    ensemble = study(axis("a", 1, 2))
    jobs = jobs_of(ensemble)
    first = outline(ensemble, jobs, AROUND)
    plain = {"parameters": [1], "cluster": {"provider": {"local": {}}}, "results": []}

    def digest(**changed: Any) -> str:
        many = replace(first, rows=range(10**9))
        return count(many, jobs, None, lambda: {"normal": {**plain, **changed}}).digest.sha256

    assert digest(cluster={"provider": {"swarm": {}}}) == digest() == digest(results=[1])
    assert digest(parameters=[2]) != digest()


def test_the_arguments_of_a_command_are_in_the_digest():
    worker = replace(NET3.worker, entrypoint=None, command=("./solve", "{{ demand }}"))
    other = replace(worker, command=("./solve", "-v", "{{ demand }}"))
    first, second = (planned(replace(NET3, worker=w)).digest for w in (worker, other))
    assert first != second


@pytest.mark.parametrize(
    ("state", "reason", "mark"),
    [
        ("missing", "not locked yet", "+"),
        ("stale", "lock older than requirements.txt", "~"),
        ("damaged", "the lock cannot be read", "~"),
    ],
)
def test_a_lock_that_does_not_fit_is_the_first_thing_to_do(state, reason, mark):
    around = replace(AROUND, dependencies=Dependencies(state, reason))
    plan = planned(NET3, around=around)
    assert told(plan)[0] == (mark, "lock", "ensemble.lock", reason)
    form = check_form(plan)
    assert form["dependencies"]["state"] == state
    assert form["payload"]["digest"] is None, (
        "the lock is part of the zip, so this is not the zip that will be sent"
    )


def test_the_whole_form():
    warning = Diagnostic("unused-parameter", "warning", "nothing uses it", "ensemble.yaml")
    around = replace(
        AROUND, inputs=(InputUsed("topology", "file", 12, "ef" * 32, "data/city.inp"),), warnings=(warning,)
    )
    results = (*NET3.results, FilesSink("results/files", ("results", 1)))
    form = check_form(planned(replace(NET3, results=results, cluster=Cluster(slots=4)), around=around))
    assert form["dependencies"] == {
        "state": "locked", "reason": "", "lock": "ensemble.lock", "made_from": "requirements.txt", "python": "3.11",
        "packages": 0,
    }  # fmt: skip
    assert form["payload"] == {"directory": "net3", "digest": "ab" * 32, "size": 1234, "files": 1}
    assert form["inputs"] == [
        {"name": "topology", "kind": "file", "size": 12, "sha256": "ef" * 32, "pattern": "data/city.inp"}
    ]
    assert form["cluster"] == {
        "provider": "local",
        "slots": 4,
        "rented": False,
        "rental": None,
        "listed": None,
    }
    assert form["results"] == [
        {"kind": "table", "path": "results/net3.csv"},
        {"kind": "files", "path": "results/files"},
    ]
    assert [warning["code"] for warning in form["warnings"]] == ["unused-parameter"]


def test_a_server_is_fed_and_no_credential_is_shown():
    own = InfluxSink("mine", ("results", 1))
    other = InfluxSink("theirs", ("results", 2), "http://h:8086", "writer", "INFLUX_PASSWORD")
    plan = planned(replace(NET3, results=(own, other)))
    assert check_form(plan)["results"] == [
        {"kind": "influxdb", "database": "mine", "url": None},
        {"kind": "influxdb", "database": "theirs", "url": "http://h:8086"},
    ]
    assert [action[1:] for action in told(plan) if action[1] == "feed"] == [
        ("feed", "influxdb mine", "points, at the swarm's own server"),
        ("feed", "influxdb theirs", "points, at http://h:8086"),
    ]


def test_without_a_payload_the_form_says_so():
    assert check_form(planned(NET3, around=replace(AROUND, payload=None)))["payload"] is None


def test_progress_is_told(monkeypatch):
    monkeypatch.setattr(room, "_AT_ONCE", 10)
    jobs, seen = jobs_of(NET3), []
    count(outline(NET3, jobs, AROUND), jobs, None, dict, lambda done, total: seen.append((done, total)))
    assert seen == [(10, 30), (20, 30), (30, 30)]


def test_every_distinct_id_is_told_once():
    ids = [f"{number * 7919 % 5000:020x}" for number in range(12_000)]
    distinct = Seen()
    for one in ids:
        distinct.add(one)
    told = [one for group in distinct.in_groups() for one in group]
    assert sorted(told) == sorted(set(ids))


def test_many_ids_take_little_memory():
    distinct = Seen()
    tracemalloc.start()
    try:
        for number in range(200_000):
            distinct.add(f"{number * 0x9E3779B97F4A7C15 % 2**80:020x}")
        groups = sum(len(group) for group in distinct.in_groups())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert groups == 200_000
    assert peak < 200_000 * 24


# ── what is left takes ──
BLOCKS = replace(
    NET3,
    blocks=tuple(
        Block(name, (Fixed("of", name, ()),), (axis("a", 1, 2, 3, 4),), (), (), ("parameters", number))
        for number, name in enumerate(("short", "long"))
    ),
)


def test_what_is_left_is_estimated_by_block():
    """Two of each block have ended; the long ones take a hundred times as long, and only one of them is left."""
    ids = [job.id for job in jobs_of(BLOCKS)]
    took = dict(zip((ids[0], ids[3], ids[4], ids[7]), (1.0, 1.2, 100.0, 120.0), strict=True))
    ledger = Ledger(dict.fromkeys((*took, ids[5]), "done"))
    plan = planned(BLOCKS, ledger, ended=took, slots=2)
    form = check_form(plan)["effort"]
    assert [(part["block"], part["jobs"], part["seconds"]) for part in form["blocks"]] == [
        ("short", 2, 1.1),
        ("long", 1, 110.0),
    ]
    assert form["cpu_hours"][1] == pytest.approx(112.2 / 3600, rel=1e-5)
    assert form["slots"] == 2
    assert form["wall_hours"][1] == pytest.approx(112.2 / 3600, rel=1e-5), (
        "the longest of 120 s is cut to all there is"
    )


def test_jobs_computed_by_other_code_are_left_too_and_failed_ones_are_not():
    ids = [job.id for job in jobs_of(BLOCKS)]
    ledger = Ledger({ids[0]: "done", ids[1]: "stale", ids[2]: "failed"})
    effort = planned(BLOCKS, ledger, ended={ids[0]: 2.0, "f" * 20: 4.0}).effort
    assert effort is not None
    assert [(part.block, part.jobs, part.is_own) for part in effort.parts] == [
        ("short", 2, True),
        ("long", 4, False),
    ]
    assert effort.parts[1].like.mean == 3.0, "of none that ended it is known better"


def test_rows_that_are_too_many_to_walk_are_estimated_all_together(monkeypatch):
    monkeypatch.setattr(room, "MOST_COUNTED", 10)
    form = check_form(planned(NET3, ended={"a" * 20: 2.0, "b" * 20: 2.0}, slots=3))["effort"]
    assert form["blocks"] == [{"block": None, "jobs": 30, "from": 2, "seconds": 2.0}]
    assert form["wall_hours"][1] == pytest.approx(20 / 3600, rel=1e-5)


def test_a_cause_and_a_block_are_told_apart_in_one_tag():
    """More causes and blocks than either alone: what is new in the second block is told as such."""
    before = replace(BLOCKS, blocks=(BLOCKS.blocks[0],))
    edited = Edited(jobs_of(before), causes(before, BLOCKS))
    ids = [job.id for job in jobs_of(before)]
    plan = planned(BLOCKS, Ledger(dict.fromkeys(ids, "done")), edited=edited, ended={ids[0]: 1.0})
    assert plan.tally.left == {"long": 4}
    assert [reason for _, verb, _, reason in told(plan) if verb == "run"] == ["4 jobs: block long is new"]


# ── rented machines ──────────────────────────────────────────────────────────────────────────
HOURLY = {"small": Decimal("0.036"), "large": Decimal("0.071")}
WANTED = Wanted("net3", "nyc3", "small", "large", 3, "ubuntu", HOURLY)
RENTS = replace(
    NET3,
    cluster=Cluster("digitalocean", workers=3, ttl=28800.0, max_cost=Decimal(25), reaper_token="REAPER"),
)
MANAGER = Machine(1, "cb-net3-manager", "manager", "small", "nyc3", "ubuntu", "active", HOURLY["small"], 0.0)


def renting(*standing: Machine, recorded: Any = None, mean: float | None = None, again: int = 0) -> Plan:
    rental = rented(WANTED, standing, (), 0.0, slots=12)
    ended = {f"{number:020x}": mean for number in range(5)} if mean else {}
    plan = planned(RENTS, recorded, ended=ended)
    return with_rental(plan, rental, again=again, line_of=lambda path: len(path))


def everything_done(ensemble: Ensemble) -> Ledger:
    jobs = jobs_of(ensemble)
    return Ledger({jobs[index].id: "done" for index in range(jobs.count)})


def test_machines_come_before_jobs_with_price_path_and_line():
    plan = renting(MANAGER)
    assert [(action.mark, action.verb, action.address) for action in plan.actions] == [
        ("+", "create", "cb-net3-worker-1"),
        ("+", "create", "cb-net3-worker-2"),
        ("+", "create", "cb-net3-worker-3"),
        ("+", "upload", "worker.zip"),
        ("+", "run", "rows[0:30]"),
        ("~", "write", "results/net3.csv"),
    ]
    created = plan.actions[0]
    assert (created.size, created.hourly, created.path, created.line) == (
        "large",
        0.071,
        "cluster.workers",
        2,
    )
    form = check_form(plan)
    assert form["cluster"]["rental"]["machines"][0]["name"] == "cb-net3-manager"
    assert form["cluster"]["rental"]["hourly_after"] == 0.249
    assert plan.asks_for_money
    assert plan.refusal is None


def test_where_nothing_is_to_do_and_nothing_stands_nothing_is_rented():
    plan = renting(recorded=everything_done(NET3))
    assert not plan.has_something_to_do
    assert plan.estimate is None
    assert not plan.asks_for_money
    assert check_form(plan)["cluster"]["rental"]["estimate"] is None


def test_a_fleet_that_stands_is_kept_as_the_file_says_though_nothing_is_to_do():
    plan = renting(MANAGER, recorded=everything_done(NET3))
    assert plan.has_something_to_do
    assert plan.asks_for_money


def test_failed_jobs_that_are_tried_anew_need_machines():
    plan = renting(recorded=everything_done(NET3), mean=60.0, again=4)
    assert plan.estimate is not None
    assert plan.estimate.to_do == 4
    assert plan.estimate.seconds == 60.0, "all four at once"


def test_every_verb_has_its_mark():
    off = replace(MANAGER, status="off")
    twin = replace(MANAGER, id=9, created=5.0)
    other = replace(MANAGER, id=3, name="cb-net3-worker-1", role="worker")
    marks = {action.verb: action.mark for action in renting(off, twin, other).actions}
    assert marks | {"resize": "~"} == {
        "power on": "~",
        "replace": "~",
        "create": "+",
        "remove": "-",
        "resize": "~",
        "upload": "+",
        "run": "+",
        "write": "~",
    }
    [resized] = [a for a in renting(replace(MANAGER, size="tiny")).actions if a.verb == "resize"]
    assert resized.mark == "~"


def test_what_is_sure_to_exceed_max_cost_is_refused():
    plan = renting(recorded=everything_done(NET3), mean=1e6, again=4)
    assert plan.refusal is not None
    assert plan.refusal.path == ("cluster", "max_cost")
    assert plan.warning is None


def test_what_nobody_is_sure_of_is_a_warning():
    """None of the rows has ended: it is like what ended before, as far as anybody knows."""
    plan = renting(mean=1e6)
    assert plan.refusal is None
    assert plan.warning is not None
    assert plan.warning.severity == "warning"


# ── what the file says of its rows ───────────────────────────────────────────────────────────
def test_units_stand_beside_the_parameters_and_change_no_job():
    plain = study(axis("a", 1, 2))
    measured = study(replace(axis("a", 1, 2), unit="l/s"))
    form = check_form(planned(measured))
    assert form["units"] == {"a": "l/s"}
    assert form["arithmetic"][0]["factors"] == [{"name": "a", "count": 2, "unit": "l/s"}]
    assert form["digest"] == check_form(planned(plain))["digest"]


def test_the_arithmetic_says_what_was_not_taken_and_that_the_order_is_shuffled():
    (block,) = study(axis("a", 1, 2, 3, 4)).blocks
    form = check_form(planned(study(blocks=(replace(block, shuffle=1, take=Take(1, 2)),))))
    (told,) = form["arithmetic"]
    assert (told["product"], told["untaken"], told["count"], told["shuffled"]) == (4, 2, 2, True)
    assert (form["rows"], form["counts"]["rows"], form["coincidences"]) == (2, 2, [])


def test_rows_that_are_one_job_are_told_with_the_reason():
    ensemble = study(axis("a", 1, 2), axis("label", "x", "y"), job={"a": "{{ a }}"})
    form = check_form(planned(ensemble))
    assert (form["counts"]["rows"], form["counts"]["jobs"]) == (4, 2)
    assert form["coincidences"] == [
        {
            "rows": [0, 1],
            "blocks": ["main", "main"],
            "id": jobs_of(ensemble)[0].id,
            "because": "the job does not take `label`, and nothing else differs",
        }
    ]
    selected = check_form(planned(ensemble, selected=(2, 4)))
    assert [told["rows"] for told in selected["coincidences"]] == [[2, 3]]


# ── what an edit costs ───────────────────────────────────────────────────────────────────────
def edited(before: Ensemble, after: Ensemble, ledger: Ledger) -> Plan:
    jobs = make_jobs(after, make_space(after), {})
    since = Edited(make_jobs(before, make_space(before), {}), causes(before, after))
    lines = {("parameters", "grid", "demand", 2): 14}
    return count(outline(after, jobs, AROUND), jobs, ledger, dict, edited=since, line_of=lines.get)


def test_new_rows_are_told_with_the_line_that_gained_them() -> None:
    before = study(axis("spread", 0.1, 0.2), axis("demand", 1, 2))
    after = study(axis("spread", 0.1, 0.2), axis("demand", 1, 2, 3))
    done = {job.id: "done" for job in make_jobs(before, make_space(before), {})}
    plan = edited(before, after, Ledger(done))
    running = [action for action in plan.actions if action.verb == "run"]
    assert [(a.jobs, a.reason, a.path, a.line) for a in running] == [
        (2, "2 jobs: demand gained 3", "parameters.grid.demand[2]", 14)
    ]
    check_form(plan)


def test_rows_that_left_are_told_and_kept() -> None:
    before = study(axis("spread", 0.1, 0.2), axis("demand", 1, 2, 3))
    after = study(axis("spread", 0.1, 0.2), axis("demand", 1, 2))
    jobs = make_jobs(before, make_space(before), {})
    done = {job.id: "done" for job in jobs if job.row.values["spread"] == 0.1}
    plan = edited(before, after, Ledger(done))
    leaving = [action for action in plan.actions if action.mark == "-"]
    assert [(a.verb, a.jobs) for a in leaving] == [("leave out", 1)]
    assert "demand lost 3" in leaving[0].reason
    assert "ledger" in leaving[0].reason
    assert any(action.verb == "write" for action in plan.actions)


def test_what_was_left_over_before_an_edit_has_no_cause() -> None:
    """Two rows were never computed, one is new: the edit explains the new one alone."""
    before = study(axis("spread", 0.1, 0.2), axis("demand", 1, 2))
    after = study(axis("spread", 0.1, 0.2), axis("demand", 1, 2, 3))
    done = {job.id: "done" for job in make_jobs(before, make_space(before), {}) if job.row.index < 2}
    reasons = [
        action.reason for action in edited(before, after, Ledger(done)).actions if action.verb == "run"
    ]
    assert reasons == ["2 jobs: demand gained 3", "2 jobs to do"]


def test_rows_in_another_order_are_told_whatever_was_applied_of_them() -> None:
    """Where a selection was applied, nobody noted the order of all rows: they are walked."""
    before = study(axis("spread", 0.1, 0.2), axis("demand", 1, 2))
    after = study(axis("spread", 0.2, 0.1), axis("demand", 1, 2))
    plan = edited(before, after, everything_done(before))
    assert [(a.mark, a.verb, a.reason) for a in plan.actions] == [
        ("~", "write", "rows stand in another order")
    ]
    assert plan.has_something_to_do
    assert not edited(before, before, everything_done(before)).has_something_to_do


def test_rows_and_columns_that_need_no_job_are_told() -> None:
    before = study(axis("spread", 0.1), job={"s": "{{ spread }}"})
    wider = study(axis("spread", 0.1), axis("label", "a"), job={"s": "{{ spread }}"})
    more = study(axis("spread", 0.1), axis("label", "a", "b"), job={"s": "{{ spread }}"})
    assert [a.reason for a in edited(before, wider, everything_done(before)).actions] == ["other columns"]
    assert [a.reason for a in edited(before, more, everything_done(before)).actions] == [
        "2 rows instead of 1"
    ]


def test_code_that_was_sent_is_not_sent_again() -> None:
    jobs = jobs_of(RENTS)

    def verbs(sent: str | None, recorded: Any = None) -> list[str]:
        plan = count(outline(RENTS, jobs, AROUND), jobs, recorded, dict, sent=sent)
        return [action.verb for action in plan.actions if action.mark != "="]

    payload = AROUND.payload
    assert payload is not None
    assert verbs(None) == verbs("0" * 64) == ["upload", "run", "write"]
    assert verbs(payload.digest) == ["run", "write"]
    assert verbs(None, everything_done(RENTS)) == []
