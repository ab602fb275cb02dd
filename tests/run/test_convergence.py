"""`apply` stopped at any of its acts and repeated ends as if it had never been stopped."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudburst.run.kept import applied, read_contents
from cloudburst.run.observe import read_study, with_lock
from cloudburst.run.places import places, prepare
from cloudburst.run.planning import counted_plan
from tests.run.played_apply import FAILS, Stopped, apply, attempts, play, watched


@dataclass(frozen=True)
class Version:
    """A study as it is written at one time."""

    values: tuple[int, ...] = (1, 2)
    more: bool = False
    code: int = 0
    replicates: int = 1

    def write(self, home: Path) -> Path:
        listed = ", ".join(map(str, self.values))
        seeded = f"replicates: {self.replicates}"
        more = f"  - {{block: corners, grid: {{a: [9], b: [x]}}, {seeded}}}\n" if self.more else ""
        (home / "model").mkdir(exist_ok=True)
        (home / "model" / "tank.py").write_text(f"def fill(a, b, seed):\n    return {self.code}\n")
        (home / "ensemble.yaml").write_text(
            "cloudburst: 1\nname: tanks\n"
            "worker: {directory: model, entrypoint: 'tank:fill'}\n"
            "parameters:\n"
            f"  - {{block: main, grid: {{a: [{listed}], b: [x, y]}}, {seeded}}}\n{more}"
        )
        return home / "ensemble.yaml"


@pytest.fixture(scope="module")
def lock(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The lock of all versions, made once: they have the same requirements, none."""
    spec = Version().write(tmp_path_factory.mktemp("locked"))
    study = read_study(spec)
    prepare(study.places)
    text = with_lock(study, lambda _: None).lock_text
    assert text is not None
    return text


@contextmanager
def home(lock: str) -> Iterator[Path]:
    with TemporaryDirectory() as directory:
        (Path(directory) / "ensemble.lock").write_text(lock)
        yield Path(directory)


@dataclass(frozen=True)
class End:
    """All that a user has of a study after `apply`."""

    attempts: frozenset[tuple[str, str, int, str]]
    table: bytes
    plans: tuple[str, ...]
    runs: tuple[str, ...]
    counts: Any


def end_of(spec: Path) -> End:
    """Looked at; and what holds of every end is asserted."""
    place, plan = places(spec, "tanks"), counted_plan(read_study(spec))
    counts = plan.counted
    assert not plan.has_something_to_do, plan.actions
    assert [(one.verb, one.jobs) for one in plan.actions] == [("leave", counts.failed)] * bool(counts.failed)
    ours = (path for path in spec.parent.rglob("*") if "afar" not in path.parts)
    assert [path for path in ours if path.name.startswith(".") and "partial" in path.name] == []
    kept = applied(place)
    lines = (place.plans / "applied.jsonl").read_text().splitlines()
    assert len(kept) == len(lines), "a line cannot be read, or its plan is not there"
    assert all(read_contents(one.path).spec == "ensemble.yaml" for one in kept)
    table = (spec.parent / "results" / "tanks.csv").read_bytes()
    return End(
        frozenset(attempts(place.ledger)),
        table,
        tuple(one.sha256 for one in kept),
        tuple(one.runs for one in kept),
        counts,
    )


VERSIONS = {
    "first": (Version(values=(1, FAILS)),),
    "a value gained, one lost": (Version(values=(1, 2)), Version(values=(2, FAILS))),
    "other code": (Version(), Version(code=1)),
}


@pytest.mark.slow
@pytest.mark.parametrize("afar", [False, True], ids=["here", "afar"])
@pytest.mark.parametrize("versions", VERSIONS.values(), ids=VERSIONS)
def test_stopped_before_any_act_and_applied_again(
    versions: Sequence[Version], afar: bool, lock: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(monkeypatch, afar=afar)
    with home(lock) as before:
        for version in versions[:-1]:
            apply(version.write(before))
        versions[-1].write(before)
        with copied(before) as there, watched(there) as hand:
            apply(there / "ensemble.yaml")
            acts, expected = hand.acts, end_of(there / "ensemble.yaml")
        assert acts > 15, "no act is seen"
        for act in range(acts):
            with copied(before) as there:
                with watched(there, acts=act), pytest.raises(Stopped):
                    apply(there / "ensemble.yaml")
                apply(there / "ensemble.yaml")
                assert end_of(there / "ensemble.yaml") == expected, f"stopped after {act} acts"


@contextmanager
def copied(project: Path) -> Iterator[Path]:
    with TemporaryDirectory() as directory:
        shutil.copytree(project, directory, dirs_exist_ok=True)
        yield Path(directory)


@dataclass(frozen=True)
class Step:
    """A version is written; `apply` is stopped after each so many acts, and then let through or not."""

    version: Version
    stops: tuple[int, ...]
    through: bool


versions = st.builds(
    Version,
    values=st.lists(st.integers(1, 4), min_size=1, max_size=3, unique=True).map(tuple),
    more=st.booleans(),
    code=st.integers(0, 1),
    replicates=st.integers(1, 2),
)
steps = st.builds(
    Step, versions, st.lists(st.integers(0, 60), max_size=2).map(tuple), st.sampled_from([True, True, False])
)


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(st.lists(steps, min_size=2, max_size=4), st.booleans())
def test_edited_stopped_and_applied_in_any_order(lock: str, taken: list[Step], afar: bool) -> None:
    """What was not let through before the next edit may be less in the ledger; the last version's end is the same."""
    with pytest.MonkeyPatch.context() as monkeypatch, home(lock) as one, home(lock) as other:
        play(monkeypatch, afar=afar)
        for step in taken:
            apply(step.version.write(one))
            spec = step.version.write(other)
            for acts in step.stops:  # it may be through before the last of them
                with watched(other, acts=acts), suppress(Stopped):
                    apply(spec)
            if step.through or step is taken[-1]:
                apply(spec)
        straight, stopped = end_of(one / "ensemble.yaml"), end_of(other / "ensemble.yaml")
        assert (stopped.table, stopped.counts) == (straight.table, straight.counts)
        assert stopped.attempts <= straight.attempts
        assert stopped.runs[-1] == straight.runs[-1]
        if all(step.through for step in taken[:-1]):
            assert stopped == straight
