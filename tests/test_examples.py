"""Every example: what it says, what its comments claim, and what it computes beside a plain loop that knows nothing of
CloudBurst."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple

import numpy
import pytest
from SALib.analyze import morris, sobol
from scipy.stats import spearmanr

from cloudburst import assets
from cloudburst.run.observe import Study, diagnose, read_study
from cloudburst.spec import load

ROOT = Path(__file__).resolve().parents[1]
STUDIES = sorted((ROOT / "examples").glob("*.yaml"))
README = ROOT / "examples" / "README.md"


class Promise(NamedTuple):
    """`receives` are the names of what the function gets; of several kinds of rows, of any."""

    rows: int
    receives: str


PROMISES = {
    "calibration.yaml": Promise(400, "growth predation death feeding hares lynxes"),
    "compiled.yaml": Promise(3 * 5, "length diffusivity cells"),
    "demands.yaml": Promise(500, "network demand hour"),
    "ensemble.yaml": Promise(5 * 4 * 10, "hours spread demand seed"),
    "epidemic.yaml": Promise(128 + 50, "reproduction incubation infectious distancing reacts_after"),
    "indices.yaml": Promise(256 * (2 * 4 + 2), "r tu tl rw hu hl length kw"),
    "ishigami.yaml": Promise(256, "a b x1 x2 x3"),
    "levee.yaml": Promise((500 - 3) * 4 + 3 * 4, "discharge strickler upstream downstream wind levee"),
    "percolation.yaml": Promise(4 * 21 * 1000, "width porosity seed"),
    "pilot.yaml": Promise(40, "width porosity seed"),
    "pumps.yaml": Promise(1 + 10 + 3 * 6, "network start hours low high"),
    "queue.yaml": Promise(3 * 3 * 20, "clerks load seed"),
    "raintank.yaml": Promise(3 * 5 * 3, "rain volume demand garden"),
    "rented.yaml": Promise(4 * 21 * 1000, "width porosity seed"),
    "screening.yaml": Promise(20 * (7 + 1), "rw r tu hu tl hl length kw"),
    "solvers.yaml": Promise(
        3 * 3 * (1 + 4 + 3) - 3 - 3, "n contrast solver relaxation preconditioner"
    ),  # 3 by each line of `exclude`
    "station.yaml": Promise(
        3 * 2 * 40 * 5,
        "price shape life needed pumps repair delivery crew contract storms struck seed",
    ),
    "waterhammer.yaml": Promise(7 * 5 * 2, "length diameter wall material flow closing law"),
}


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """A copy, so that a run leaves nothing in the checkout."""
    left_out = shutil.ignore_patterns(".cloudburst", "results", "__pycache__", "*.lock", "heat")
    return Path(shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=left_out))


def cloudburst(*arguments: str, cwd: Path) -> str:
    """Standard output of a command that has to succeed."""
    command = [sys.executable, "-m", "cloudburst", *arguments]
    ended = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=280, check=False)
    assert ended.returncode == 0, f"cloudburst {' '.join(arguments)}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout


def rows(table: str | Path) -> list[dict[str, str]]:
    text = table if isinstance(table, str) else table.read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


def computed(examples: Path, study: str, *arguments: str) -> list[dict[str, str]]:
    """The table of `results/<study>.csv` after `apply`, all of whose rows have to be done."""
    cloudburst("apply", f"{study}.yaml", *arguments, cwd=examples)
    table = [row for row in rows(examples / "results" / f"{study}.csv") if row["attempts"]]
    assert {row["status"] for row in table} == {"done"}
    return table


def function(worker: str, entrypoint: str) -> Callable[..., Any]:
    """The function of an example, as a notebook would import it."""
    module, _, name = entrypoint.partition(":")
    spec = importlib.util.spec_from_file_location(module, ROOT / "examples" / worker / f"{module}.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(loaded)
    finally:
        sys.dont_write_bytecode = before
    return getattr(loaded, name)


def study_of(name: str) -> Study:
    return read_study(ROOT / "examples" / name, need_payload=False)


# ── what the files say ───────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("study", STUDIES, ids=lambda path: path.name)
def test_there_is_nothing_to_say_against_an_example(study: Path, examples: Path) -> None:
    (examples / "compiled" / "heat").touch(mode=0o755)  # what its first lines say to build
    assert diagnose(examples / study.name) == ()


@pytest.mark.parametrize("study", STUDIES, ids=lambda path: path.name)
def test_an_example_begins_with_its_schema_for_editors_and_a_sentence_for_people(study: Path) -> None:
    first, second = study.read_text("utf-8").splitlines()[:2]
    assert first.startswith("# yaml-language-server: $schema=")
    assert (study.parent / first.partition("=")[2]).resolve() == ROOT / "schemas" / "ensemble.schema.json"
    assert second.startswith("# ") or study.name == "ensemble.yaml"  # which the README explains


@pytest.mark.parametrize("study", STUDIES, ids=lambda path: path.name)
def test_an_example_has_the_rows_and_the_jobs_it_promises(study: Path, examples: Path) -> None:
    (examples / "compiled" / "heat").touch(mode=0o755)
    promised = PROMISES[study.name]
    jobs = read_study(examples / study.name, need_payload=False).jobs
    assert len(jobs) == promised.rows
    some = [jobs[row] for row in range(0, len(jobs), len(jobs) // 100 or 1)]
    received = set(chain.from_iterable(job.description for job in some))
    assert received == set(promised.receives.split())
    assert len({job.id for job in some}) == len(some)


def test_no_promise_is_left_of_an_example_that_went() -> None:
    assert set(PROMISES) == {study.name for study in STUDIES}


# ── what they say together ───────────────────────────────────────────────────────────────────
SCHEMA = json.loads(assets.schema("ensemble").read_text("utf-8"))
PARTS = ("then", "else", "items", "additionalProperties")


def alternatives(schema: object) -> Iterator[Mapping[str, Any]]:
    """A schema with all that it may stand for: what it refers to, and its branches."""
    if isinstance(schema, dict):
        yield schema
        if "$ref" in schema:
            yield from alternatives(SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]])
        for branch in (schema.get("then"), schema.get("else")):
            yield from alternatives(branch)


def vocabulary(schema: object, seen: set[str]) -> Iterator[str]:
    """Every key that the language has below `schema`."""
    for part in alternatives(schema):
        reference = part.get("$ref", "")
        if reference in seen:
            continue
        seen |= {reference} - {""}
        for key, inner in part.get("properties", {}).items():
            yield key
            yield from vocabulary(inner, seen)
        for key in ("items", "additionalProperties"):
            yield from vocabulary(part.get(key), seen)


def words(value: object, schema: object) -> Iterator[str]:
    """Every key of the language in `value`; what it calls parameters, columns or groups is none."""
    for part in alternatives(schema):
        if isinstance(value, dict):
            known = part.get("properties", {})
            for key, inner in value.items():
                if key in known:
                    yield key
                yield from words(inner, known.get(key, part.get("additionalProperties")))
        if isinstance(value, list):
            for element in value:
                yield from words(element, part.get("items"))


def words_of(study: Path) -> set[str]:
    return set(words(load(study).document.value, SCHEMA))


def test_together_the_examples_show_every_key_that_makes_rows() -> None:
    language = set(vocabulary(SCHEMA["properties"]["parameters"], set()))
    assert {"grid", "sample", "scipy", "paired", "column", "skip"} < language
    shown = set[str]().union(*map(words_of, STUDIES))
    assert language - shown == set()


def test_together_the_examples_show_every_method_of_sampling() -> None:
    methods = SCHEMA["definitions"]["block"]["properties"]["sample"]["properties"]["method"]["enum"]
    text = "".join(study.read_text("utf-8") for study in STUDIES)
    assert set(re.findall(r"method: (\w+)", text)) == set(methods)


def test_the_readme_says_where_every_key_that_makes_rows_is_shown() -> None:
    language = set(vocabulary(SCHEMA["properties"]["parameters"], set()))
    said = {}
    for line in README.read_text("utf-8").partition("## What stands where")[2].splitlines():
        cells = line.split("|")
        files = re.findall(r"\]\(([\w-]+\.yaml)\)", line)
        if files:
            said.update(dict.fromkeys(re.findall(r"`(\w+)`", cells[1]), files))
    assert language - set(said) == set()
    of = {study.name: (words_of(study), study.read_text("utf-8")) for study in STUDIES}
    for word, files in said.items():
        for file in files:
            known, text = of[file]
            assert word in known or re.search(rf"^{word}: |method: {word}\b", text, re.MULTILINE), (
                f"{file}: {word}"
            )


def test_the_readme_of_the_examples_lists_each_of_them_with_its_rows() -> None:
    listed = dict(
        re.findall(r"^\| \[`([\w-]+\.yaml)`\]\(\1\) \| ([\d,]+) \|", README.read_text("utf-8"), re.MULTILINE)
    )
    assert {name: int(count.replace(",", "")) for name, count in listed.items()} == {
        name: promised.rows for name, promised in PROMISES.items()
    }


# ── what their comments claim ────────────────────────────────────────────────────────────────
def test_the_latin_hypercube_has_one_point_in_each_of_its_strata() -> None:
    pi = 3.141592653589793
    for name in ("x1", "x2", "x3"):
        drawn = [float(str(job.description[name])) for job in study_of("ishigami.yaml").jobs]
        assert sorted(int((x + pi) / (2 * pi) * 256) for x in drawn) == list(range(256))


@pytest.mark.parametrize(
    ("name", "now", "later", "promise"),
    [
        ("ishigami.yaml", "n: 256 ", "n: 512 ", "make it 512 later"),
        ("epidemic.yaml", "n: 128 ", "n: 256 ", "later 256: these are its first half"),
        ("levee.yaml", "n: 500\n", "n: 600\n", "a larger n keeps these"),
        ("indices.yaml", "n: 256 ", "n: 512 ", "twice the n keeps them"),
    ],
)
def test_more_points_keep_the_first_ones_as_the_example_says(
    name: str, now: str, later: str, promise: str, examples: Path
) -> None:
    study = examples / name
    assert promise in study.read_text("utf-8")
    before = first_block(study)
    study.write_text(study.read_text("utf-8").replace(now, later, 1), "utf-8")
    after = first_block(study)
    assert len(after) > len(before)
    assert after[: len(before)] == before


def first_block(study: Path) -> list[str]:
    jobs = read_study(study, need_payload=False).jobs
    return [jobs[row].id for row in range(jobs.space.blocks[0].count)]


def test_the_rates_that_balance_each_other_are_drawn_together() -> None:
    drawn: dict[str, list[float]] = defaultdict(list)
    for job in study_of("calibration.yaml").jobs:
        for name, value in job.description.items():
            drawn[name].append(float(str(value)))
    names = list(drawn)
    found = spearmanr([list(row) for row in zip(*drawn.values(), strict=True)]).statistic
    wanted = {("growth", "predation"): 0.8, ("death", "feeding"): 0.8}
    for i, a in enumerate(names):
        for j, b in enumerate(names[i + 1 :], i + 1):
            assert found[i][j] == pytest.approx(wanted.get((a, b), 0), abs=0.1), (a, b)


def test_the_screening_leaves_what_the_indices_go_on_with() -> None:
    """Morris' mean absolute effects: what stands still in indices.yaml moves the flow by less than a fiftieth of the
    most."""
    study = study_of("screening.yaml")
    effect = dict(zip(*_analyzed(study, _morris, 6), strict=True))
    strongest = max(effect.values())
    fixed = [name for name, value in effect.items() if value < strongest / 50]
    assert sorted(fixed) == ["r", "tl", "tu"]
    assert set(load(ROOT / "examples" / "indices.yaml").document.value["parameters"]["fixed"]) == set(fixed)


def test_the_borehole_s_radius_accounts_for_most_of_its_variance() -> None:
    names, first = _analyzed(study_of("indices.yaml"), _sobol)
    found = dict(zip(names, first, strict=True))
    assert found["rw"] > 0.6
    assert sum(found.values()) == pytest.approx(1, abs=0.1)


def _analyzed(study: Study, analyze: Callable[..., list[float]], *more: int) -> tuple[list[str], list[float]]:
    """The names of parameters, groups counting as one, and what an estimator of SALib says of each."""
    flow = function("borehole", "borehole:flow")
    rates = [flow(**job.description) for job in study.jobs]
    drawn = ["rw", "r", "tu", "hu", "tl", "hl", "length", "kw"]
    drawn = [name for name in drawn if name in study.loaded.normal["parameters"][0]["sample"]["of"]]
    groups = ["heads" if name in ("hu", "hl") else name for name in drawn]
    return list(dict.fromkeys(groups)), analyze(study, drawn, groups, rates, *more)


def _morris(
    study: Study, drawn: list[str], groups: list[str], rates: list[float], levels: int
) -> list[float]:
    of = study.loaded.normal["parameters"][0]["sample"]["of"]
    bounds = [of[name]["uniform"] for name in drawn]
    problem = {"num_vars": len(drawn), "names": drawn, "groups": groups, "bounds": bounds}
    points = numpy.array([[job.description[name] for name in drawn] for job in study.jobs], dtype=float)
    return list(morris.analyze(problem, points, numpy.array(rates), num_levels=levels)["mu_star"])


def _sobol(study: Study, drawn: list[str], groups: list[str], rates: list[float]) -> list[float]:
    problem = {"num_vars": len(drawn), "names": drawn, "groups": groups, "bounds": [[0, 1]] * len(drawn)}
    return list(sobol.analyze(problem, numpy.array(rates), seed=1)["S1"])


def test_the_pilot_is_a_part_of_the_study_and_the_rented_one_is_all_of_it() -> None:
    whole, pilot, rented = (study_of(f"{name}.yaml") for name in ("percolation", "pilot", "rented"))
    ids = {job.id for job in whole.jobs}
    assert {job.id for job in pilot.jobs} < ids
    assert {job.description["width"] for job in pilot.jobs} == {32, 64, 128, 256}
    assert (rented.jobs[0].id, rented.jobs[-1].id) == (whole.jobs[0].id, whole.jobs[-1].id)
    assert len({study.places.state for study in (whole, pilot, rented)}) == 1


@pytest.mark.parametrize(
    ("name", "worker", "entrypoint"),
    [
        ("epidemic.yaml", "epidemic", "seir:outbreak"),
        ("levee.yaml", "levee", "levee:overflow"),
        ("percolation.yaml", "percolation", "percolation:percolates"),
        ("station.yaml", "station", "station:run"),
    ],
)
def test_what_is_only_planned_here_can_be_computed(name: str, worker: str, entrypoint: str) -> None:
    compute, jobs = function(worker, entrypoint), study_of(name).jobs
    for row in range(0, len(jobs), len(jobs) // 12):
        assert set(compute(**jobs[row].description)) >= RETURNED[worker]


RETURNED = {
    "epidemic": {"total", "peak", "peak_day"},
    "levee": {"above", "flooded"},
    "percolation": {"through", "largest"},
    "station": {"short", "times"},
}


# ── what they compute ────────────────────────────────────────────────────────────────────────
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ishigami_gives_what_a_loop_over_its_rows_gives(examples: Path) -> None:
    ishigami = function("ishigami", "ishigami:ishigami")
    table = computed(examples, "ishigami")
    assert len(table) == 256
    for row in table:
        job = {name: float(row[name]) for name in ("x1", "x2", "x3", "a", "b")}
        assert float(row["value"]) == ishigami(**job)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_clerks_meet_the_customers_of_a_plain_loop_and_each_shop_the_same(examples: Path) -> None:
    wait = function("queueing", "counter:wait")
    table = computed(examples, "queue")
    seeds = [int(row["seed"]) for row in table[:20]]
    assert len(set(seeds)) == 20
    place = iter(table)
    for clerks in (1, 2, 4):
        for load_ in (0.5, 0.7, 0.9):
            for seed in seeds:
                row = next(place)
                found = wait(clerks, load_, seed)
                assert (float(row["mean"]), float(row["p95"])) == (found["mean"], found["p95"])
    assert next(place, None) is None

    busy: dict[str, list[float]] = defaultdict(list)
    for row in table:
        if row["load"] == "0.9":
            busy[row["clerks"]].append(float(row["mean"]))
    apart = [two - one for one, two in zip(busy["1"], busy["2"], strict=True)]
    assert mean(busy["1"]) == pytest.approx(0.9 / (1 - 0.9), rel=0.3)  # as Erlang says
    assert stdev(apart) < stdev(busy["1"]) / 10  # what differs between shops is the shop


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_rain_tank_gives_what_three_loops_give_and_reads_the_files_it_names(examples: Path) -> None:
    year = function("tank", "tank:year")
    table = iter(computed(examples, "raintank"))
    for weather in ("dry", "usual", "wet"):
        file = f"data/rain/{weather}.csv"
        for volume in (1, 2, 4, 8, 16):
            for people in (1, 2, 4):
                row = next(table)
                found = year(examples / file, volume, people * 45, [152, 243])
                assert (row["rain"], row["volume"], row["people"]) == (file, str(volume), str(people))
                assert (float(row["met"]), float(row["overflow"])) == (found["met"], found["overflow"])
    assert next(table, None) is None


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_water_hammer_gives_what_a_loop_over_the_table_gives(examples: Path) -> None:
    surge = function("pipes", "hammer:surge")
    table = iter(computed(examples, "waterhammer"))
    with (examples / "data" / "pipes.csv").open(encoding="utf-8") as file:
        pipes = [line for line in csv.DictReader(file, delimiter=";") if line["service"] != "closed"]
    for pipe in pipes:
        length, diameter, wall, flow = (
            float(pipe[name].replace(",", ".")) for name in ("length", "diameter", "wall", "flow")
        )
        for closing in (0.1, 0.1 * 10**0.5, 1, 10**0.5, 10):
            for law in ([1, 0], [1, 0.3, 0.2, 0.1, 0]):
                row = next(table)
                found = surge(length, diameter, wall, pipe["material"], flow, closing, law)
                assert row["pipe"] == pipe["pipe"]  # 010, as it is written
                assert json.loads(row["law"]) == law
                assert float(row["surge"]) == pytest.approx(found["surge"], rel=1e-9)
                at_once = found["wave_speed"] * flow / (3.141592653589793 / 4 * diameter**2) / 9.81
                assert float(row["surge"]) <= at_once * 1.001  # as Joukowsky says
                if closing < length / found["wave_speed"] / 4:
                    assert float(row["surge"]) == pytest.approx(at_once, rel=0.02)
    assert next(table, None) is None


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_solvers_are_those_of_a_loop_with_its_ifs(examples: Path) -> None:
    solve = function("poisson", "poisson:solve")
    table = iter(computed(examples, "solvers"))
    for n in (6, 9, 12):
        for contrast in (1, 10, 1000):
            hottest = []
            for solver in ("jacobi", "sor", "cg"):
                settings: list[dict[str, Any]] = [{}] if solver != "jacobi" or n <= 9 else []
                if solver == "sor":
                    settings = [{"relaxation": x} for x in (1.2, 1.4, 1.6, 1.8)]
                if solver == "cg":
                    kinds = ("identity", "ssor") if contrast == 1 else ("identity", "diagonal", "ssor")
                    settings = [{"preconditioner": kind} for kind in kinds]
                for setting in settings:
                    row = next(table)
                    shown = {name: row[name] for name in ("relaxation", "preconditioner")}
                    assert shown == {"relaxation": "", "preconditioner": ""} | {
                        k: str(v) for k, v in setting.items()
                    }
                    found = solve(n, contrast, solver, **setting)
                    assert (row["solver"], int(row["rounds"])) == (solver, found["rounds"])
                    hottest.append(float(row["hottest"]))
            assert max(hottest) == pytest.approx(min(hottest), rel=1e-5)  # all solve the same plate
    assert next(table, None) is None


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_best_draws_follow_the_pelts(examples: Path) -> None:
    misfit = function("predators", "predators:misfit")
    table = computed(examples, "calibration")
    best = min(table, key=lambda row: float(row["misfit"]))
    names = ("growth", "predation", "death", "feeding", "hares", "lynxes")
    found = misfit(*(float(best[name]) for name in names))
    assert float(best["misfit"]) == found["misfit"]
    assert float(best["misfit"]) < mean(float(row["misfit"]) for row in table) / 2
    series = rows(cloudburst("results", "calibration.yaml", "--series", "lynxes", cwd=examples))
    assert len(series) == 400 * 21
    assert [float(p["value"]) for p in series if p["row"] == best["row"]] == found["lynxes"]["value"]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_the_pilot_computed_is_done_in_the_whole_study(examples: Path) -> None:
    percolates = function("percolation", "percolation:percolates")
    for row in computed(examples, "pilot"):
        found = percolates(int(row["width"]), float(row["porosity"]), int(row["seed"]))
        assert (row["through"], float(row["largest"])) == (str(found["through"]).lower(), found["largest"])
    cloudburst("lock", "percolation.yaml", cwd=examples)
    assert "84,000 rows: 40 done, 83,960 to do" in cloudburst("plan", "percolation.yaml", cwd=examples)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_compiled_program_converges_to_the_exact_answer(examples: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        assert "CLOUDBURST_REQUIRE_PARTS" not in os.environ, "this machine should have a C compiler"
        pytest.skip("there is no C compiler on this machine; the example needs one")
    place = examples / "compiled"
    subprocess.run([compiler, "-O2", "-Wall", "-Werror", "-o", place / "heat", place / "heat.c"], check=True)
    cloudburst("apply", "compiled.yaml", cwd=examples)
    table = rows(examples / "results" / "heat.csv")
    assert [row["status"] for row in table] == ["done"] * 15
    for row in table:
        exact = 0.3787478382713957 * float(row["length"]) ** 2 / float(row["diffusivity"])
        # The error of this scheme shrinks with the square of the cells.
        assert abs(float(row["half_time"]) / exact - 1) < 0.6 / int(row["cells"]) ** 2
        ended = subprocess.run(
            [place / "heat", row["length"], row["diffusivity"], row["cells"]], capture_output=True, check=True
        )
        assert json.loads(ended.stdout) == {"half_time": float(row["half_time"]), "steps": int(row["steps"])}


LOOP = """\
import json, sys
sys.path.insert(0, sys.argv[1])
import net3
for line in sys.stdin:
    found = net3.work(**json.loads(line))
    tanks = {name: found.pop(name) for name in ("tank_1", "tank_2", "tank_3")}
    found["final_level"] = {name: float(level) for name, level in found["final_level"].items()}
    print(json.dumps({
        **{name: float(v) if name != "lowest_node" and name != "final_level" else v for name, v in found.items()},
        "series": {name: [[int(t), float(h)] for t, h in series.items()] for name, series in tanks.items()},
    }))
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_net3_gives_what_a_plain_loop_with_wntr_gives_exactly(examples: Path, tmp_path: Path) -> None:
    cloudburst("apply", "ensemble.yaml", "--rows", "0:6", cwd=examples)
    table = rows(examples / "results" / "net3.csv")
    done = [row for row in table if row["status"] == "done"]
    assert [row["row"] for row in done] == ["0", "1", "2", "3", "4", "5"]
    plain = plain_loop(examples, tmp_path, [job_of(row) for row in done])

    for row, expected in zip(done, plain, strict=True):
        assert float(row["lowest_pressure"]) == expected["lowest_pressure"]
        assert row["lowest_node"] == expected["lowest_node"]
        assert float(row["lowest_hour"]) == expected["lowest_hour"]
        for tank, level in expected["final_level"].items():
            assert float(row[f"final_level.{tank}"]) == level

    for tank in ("tank_1", "tank_2", "tank_3"):
        long = rows(cloudburst("results", "ensemble.yaml", "--series", tank, cwd=examples))
        for row, expected in zip(done, plain, strict=True):
            points = [[int(p["index"]), float(p["value"])] for p in long if p["row"] == row["row"]]
            assert len(points) == 673
            assert points == expected["series"][tank]


def job_of(row: dict[str, str]) -> dict[str, Any]:
    return {
        "hours": int(row["hours"]),
        "spread": float(row["spread"]),
        "demand": float(row["demand"]),
        "seed": int(row["seed"]),
    }


def plain_loop(examples: Path, home: Path, jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """`work` over `jobs`, one after another, in an environment with what the lock says."""
    uv = Path(sys.executable).with_name("uv")
    python = home / "environment" / "bin" / "python"
    lock = examples / "ensemble.lock"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, home / "environment"], check=True)
    subprocess.run([uv, "pip", "sync", "--quiet", "--python", python, lock], check=True)
    scratch = home / "scratch"
    scratch.mkdir()
    ended = subprocess.run(
        [python, "-c", LOOP, examples / "net3"],
        input="\n".join(map(json.dumps, jobs)),
        cwd=scratch,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in ended.stdout.splitlines()]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_pumps_begin_with_the_schedule_of_today(examples: Path) -> None:
    today, earlier = computed(examples, "pumps", "--rows", "0:2")
    assert [today[name] for name in ("start", "hours", "low", "high")] == ["1", "14", "5.21", "5.82"]
    assert [earlier[name] for name in ("start", "hours", "low", "high")] == ["0", "14", "5.21", "5.82"]
    for row in (today, earlier):
        pumps = float(row["energy_of.pump_10"]) + float(row["energy_of.pump_335"])
        assert float(row["energy"]) == pytest.approx(pumps)
    assert today["energy"] != earlier["energy"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_junction_that_uses_water_has_a_draw_of_its_own(examples: Path) -> None:
    (row,) = computed(examples, "demands", "--rows", "0:1")
    junctions = (examples / "data" / "junctions.csv").read_text("utf-8").split()[1:]
    assert row["lowest_node"] in junctions
    factors = json.loads(row["demand"])
    assert list(factors) == junctions
    assert len(set(factors.values())) == len(junctions) == 59
    assert len(set(json.loads(row["hour"]))) == 24
