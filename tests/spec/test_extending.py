"""`extends`: several files as one, and every value still with its own file and line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from cloudburst.compile.draws import Draws
from cloudburst.compile.space import make_space
from cloudburst.run.places import places
from cloudburst.spec import Loaded, build, extending, load, schema

BASE = """\
cloudburst: 1
name: base
worker: {directory: model, entrypoint: "model:run", timeout: 5m}
parameters:
  grid:
    demand: {from: 0.8, to: 1.2, step: 0.1, when: "hours > 0"}
    other: [1, 2]
  fixed: {hours: 168}
"""

Write = Callable[..., Loaded]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes files, in directories as their names say, and loads the first one."""

    def loaded(**files: str) -> Loaded:
        names = {name.replace("__", "/"): text for name, text in files.items()}
        for name, text in names.items():
            (tmp_path / f"{name}.yaml").parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / f"{name}.yaml").write_text(text)
        return load(tmp_path / f"{next(iter(names))}.yaml")

    return loaded


def faults(loaded: Loaded) -> list[tuple[str, int, str]]:
    return [(Path(d.file).name, d.span.line if d.span else 0, d.code) for d in loaded.diagnostics]


def grid(loaded: Loaded) -> Any:
    assert loaded.ensemble is not None, loaded.diagnostics
    return loaded.normal["parameters"][0]["grid"]


def test_maps_merge_at_every_depth_and_lists_and_scalars_are_replaced(write: Write) -> None:
    loaded = write(
        study="extends: base.yaml\nname: mine\nworker: {timeout: 1m}\n"
        "parameters: {grid: {demand: {to: 1.0}, other: [7], third: [3]}}\n",
        base=BASE,
    )

    assert grid(loaded) == {
        "demand": {"from": 0.8, "to": 1.0, "step": 0.1, "when": "hours > 0"},
        "other": {"values": [7]},
        "third": {"values": [3]},
    }
    assert (loaded.normal["name"], loaded.normal["worker"]["timeout"]) == ("mine", 60.0)
    assert loaded.normal["worker"]["entrypoint"] == "model:run"
    assert build(loaded.normal) == loaded.ensemble


def test_it_is_the_study_written_in_one_file(write: Write) -> None:
    extended = write(study="extends: base.yaml\nname: mine\nseed: 4\n", base=BASE)
    whole = write(whole=BASE.replace("name: base", "name: mine") + "seed: 4\n")

    assert extended.normal == whole.normal
    assert extended.ensemble is not None
    assert [r.values for r in make_space(extended.ensemble, Draws())][:2] == [
        {"hours": 168, "demand": 0.8, "other": 1},
        {"hours": 168, "demand": 0.8, "other": 2},
    ]


@pytest.mark.parametrize(
    ("near", "axis"),
    [
        ("{values: [1, 2]}", {"values": [1, 2], "when": "hours > 0"}),
        ("{count: 3}", {"from": 0.8, "to": 1.2, "count": 3, "scale": "linear", "when": "hours > 0"}),
        ("[5]", {"values": [5]}),
    ],
)
def test_where_one_of_several_keys_can_stand_the_nearer_choice_displaces_the_other(
    write: Write, near: str, axis: Any
) -> None:
    loaded = write(study=f"extends: base.yaml\nparameters: {{grid: {{demand: {near}}}}}\n", base=BASE)

    assert grid(loaded)["demand"] == axis


def test_another_program_and_another_provider_displace_those_of_the_base(write: Write) -> None:
    base = BASE + "cluster: {provider: {digitalocean: {region: nyc3, worker: s-1vcpu-1gb}}}\n"
    near = "extends: base.yaml\nworker: {command: [./solve]}\ncluster: {provider: {swarm: {context: lab}}}\n"
    loaded = write(study=near, base=base)

    assert loaded.ensemble is not None, loaded.diagnostics
    assert (loaded.normal["worker"]["entrypoint"], loaded.normal["worker"]["command"]) == (None, ["./solve"])
    assert loaded.normal["cluster"]["provider"] == {"swarm": {"context": "lab"}}


def test_a_fault_of_an_inherited_value_is_shown_in_its_own_file(write: Write) -> None:
    loaded = write(study="extends: base.yaml\nname: mine\nsede: 1\n", base=BASE + "seed: x\n")

    assert faults(loaded) == [("base.yaml", 9, "wrong-type"), ("study.yaml", 3, "unknown-key")]
    assert loaded.diagnostics[0].snippet == "seed: x"


def test_a_second_place_in_another_file_is_told_with_that_file(write: Write) -> None:
    loaded = write(study="extends: base.yaml\nparameters: {derive: {hours: '1'}}\n", base=BASE)

    (found,) = loaded.diagnostics
    assert (found.code, Path(found.file).name) == ("given-twice", "study.yaml")
    assert [(Path(r.file).name, r.span.line) for r in found.related] == [("base.yaml", 8)]


def test_several_levels_the_nearest_wins(write: Write) -> None:
    loaded = write(
        a="extends: b.yaml\nname: a\n", b="extends: c.yaml\nname: b\nseed: 2\n", c=BASE + "seed: 3\n"
    )

    assert (loaded.normal["name"], loaded.normal["seed"]) == ("a", 2)
    assert [file.name for file in loaded.document.bases] == ["b.yaml", "c.yaml"]


def test_what_a_base_reads_is_beside_the_base_and_what_is_written_beside_the_study(
    write: Write, tmp_path: Path
) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "cases.csv").write_text("x\n1\n")
    (tmp_path / "shared" / "a.nc").write_text("")
    base = (
        "cloudburst: 1\nworker: {directory: model, entrypoint: 'm:f'}\n"
        "inputs: {city: city.inp, far: /data/far.inp}\nresults: [{table: {path: out.csv}}]\n"
        "parameters: {table: {file: cases.csv}, grid: {forcing: {glob: '*.nc'}, file: [a.nc]}}\n"
    )
    loaded = write(study="extends: shared/base.yaml\nname: mine\n", shared__base=base)

    assert loaded.ensemble is not None, loaded.diagnostics
    normal = loaded.normal
    assert normal["worker"]["directory"] == "shared/model"
    assert normal["inputs"] == {"city": "shared/city.inp", "far": "/data/far.inp"}
    assert normal["parameters"][0]["table"]["rows"] == [[1]]
    assert normal["parameters"][0]["grid"]["forcing"]["paths"] == ["shared/a.nc"]
    assert normal["parameters"][0]["grid"]["file"]["values"] == ["a.nc"]
    assert normal["results"] == [{"table": {"path": "out.csv"}}]


def test_lock_and_state_are_those_of_the_extending_file(write: Write, tmp_path: Path) -> None:
    loaded = write(study="extends: shared/base.yaml\nname: mine\n", shared__base=BASE)

    place = places(loaded.document.file, loaded.normal["name"])
    assert place.lock_file == tmp_path / "study.lock"
    assert place.root == tmp_path / ".cloudburst" / "mine"


# ── what cannot be ───────────────────────────────────────────────────────────────────────────
def test_a_cycle_is_told_at_the_file_that_closes_it(write: Write) -> None:
    loaded = write(a="extends: b.yaml\nname: a\n", b="extends: a.yaml\n")

    assert faults(loaded) == [("b.yaml", 1, "extends-cycle")]
    assert "a.yaml extends b.yaml extends a.yaml" in loaded.diagnostics[0].message


def test_a_base_that_is_not_there_is_looked_for_among_its_neighbours(write: Write) -> None:
    loaded = write(study="extends: bse.yaml\nname: mine\nsede: 1\n", base=BASE)

    assert faults(loaded) == [("study.yaml", 1, "no-such-file"), ("study.yaml", 3, "unknown-key")]
    assert loaded.diagnostics[0].hint == 'did you mean "base.yaml"?'


def test_a_base_outside_the_project(write: Write, tmp_path: Path) -> None:
    loaded = write(inner__study="extends: ../base.yaml\nname: mine\n", base=BASE)
    assert faults(loaded) == [("study.yaml", 1, "outside-project")]

    (tmp_path / ".git").mkdir()
    assert load(tmp_path / "inner" / "study.yaml").ensemble is not None


def test_a_base_that_is_no_file_of_the_language(write: Write) -> None:
    broken = write(study="extends: base.yaml\nname: mine\n", base="name: [\n")
    assert faults(broken) == [("base.yaml", 1, "yaml-syntax")]

    listed = write(study="extends: base.yaml\nname: mine\n", base="- 1\n")
    assert faults(listed) == [("study.yaml", 1, "wrong-type")]

    assert faults(write(study="extends: [base.yaml]\nname: mine\n")) == [("study.yaml", 1, "wrong-type")]


def test_files_above_each_other_have_a_limit(write: Write) -> None:
    chain = {f"s{n}": f"extends: s{n + 1}.yaml\nname: s{n}\n" for n in range(extending.MAX_LEVELS + 1)}

    assert write(**{**chain, f"s{extending.MAX_LEVELS}": BASE}).ensemble is not None
    assert faults(write(**chain, **{f"s{len(chain)}": BASE}))[0][2] == "extends-too-far"


def test_what_is_unusable_and_overridden_is_still_a_fault_of_the_base(write: Write) -> None:
    loaded = write(study="extends: base.yaml\nseed: 1\n", base=BASE + "seed: .nan\n")

    assert faults(loaded) == [("base.yaml", 9, "not-a-number")]


# ── for an editor ────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"worker": {"timeout": "1m"}},
        {"cluster": {"provider": {"digitalocean": {"worker": "s-2vcpu-4gb"}}}},
        {"parameters": {"sample": {"n": 500}, "table": {"where": "x > 0"}, "replicates": {"paired": True}}},
    ],
)
def test_the_schema_requires_nothing_that_a_base_may_give(more: Any) -> None:
    validator = Draft7Validator(schema.the_schema())

    assert validator.is_valid({"extends": "base.yaml", **more})
    assert not validator.is_valid({"cloudburst": 1, "name": "a", **more})


def test_what_a_base_says_of_its_machines_is_no_warning_where_they_are_replaced(write: Write) -> None:
    """It cannot be left out here, and the local variant of a rented study must pass `--strict`."""
    rented = BASE + (
        "cluster:\n  provider: {digitalocean: {region: nyc3, manager: s-1vcpu-1gb, worker: s-1vcpu-1gb}}\n"
        "  workers: 4\n  max_cost: 5 USD\n"
    )
    here = write(here="extends: rented.yaml\ncluster: {provider: local}\n", rented=rented)
    assert here.ensemble is not None
    assert (here.ensemble.cluster.provider, faults(here)) == ("local", [])
    own = write(here="extends: rented.yaml\ncluster: {provider: local, workers: 2}\n", rented=rented)
    assert faults(own) == [("here.yaml", 2, "only-on-rented-machines")]
