"""Two ledgers brought together, whatever each recorded and whenever the line between them was cut."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudburst.errors import ControllerError
from cloudburst.run import replica
from cloudburst.run.ledger import Counts, Ledger, Loss, Page
from cloudburst.run.places import places

from .test_ledger import NEW, OLD, ids, outcome


@dataclass
class Afar:
    """A home at the other end of a line that may be cut: what it is asked and answers is JSON."""

    home: Ledger | None
    path: Path
    answers: float = float("inf")
    asked: list[str] = field(default_factory=list)

    def ledger(self) -> dict[str, Any]:
        self.ask("ledger")
        if self.home is None:
            return {"study": None, "uuid": None, "last": 0, "payloads": {}}
        return {
            "study": "waves",
            "uuid": self.home.uuid,
            "last": self.home.last_line(),
            "payloads": self.home.payloads(),
        }

    def rows(self, after: int, limit: int) -> Any:
        self.ask(f"rows after {after}")
        if self.home is None:
            return {"uuid": None, **replica.to_json(Page(after, after, more=False))}
        page = self.home.page(after, at_most=min(limit, 3))
        return json.loads(json.dumps({"uuid": self.home.uuid, **replica.to_json(page)}))

    def put_rows(self, body: Mapping[str, Any]) -> dict[str, Any]:
        body = json.loads(json.dumps(body))
        self.ask(f"{len(body['rows'])} rows")
        self.home = self.home or Ledger.open(self.path, body["study"], create=True)
        page, after = replica.read_page(body), self.home.last_line()
        self.home.note_payloads(body["payloads"])
        new = self.home.record(page.outcomes, page.losses)
        if not self.answers:
            raise ControllerError("recorded, and the answer got lost")
        return {"new": new, "uuid": self.home.uuid, "after": after, "last": self.home.last_line()}

    def ask(self, what: str) -> None:
        if self.answers <= 0:
            raise ControllerError("the line is cut")
        self.answers -= 1
        self.asked.append(what)


def everything(ledger: Ledger) -> tuple[dict[Any, Any], set[Loss]]:
    page = ledger.page(0, at_most=10_000)
    attempts = [(x["id"], x["payload"], x["attempt"]) for x in page.outcomes]
    assert len(attempts) == len(set(attempts)), "an attempt stands there twice"
    return dict(zip(attempts, page.outcomes, strict=True)), set(page.losses)


@contextmanager
def two() -> Iterator[tuple[Ledger, Afar]]:
    with (
        TemporaryDirectory() as place,
        Ledger.open(Path(place) / "mine", "waves", create=True) as mine,
        Ledger.open(Path(place) / "home", "waves", create=True) as home,
    ):
        yield mine, Afar(home, Path(place) / "home")


@pytest.fixture
def pair() -> Iterator[tuple[Ledger, Afar]]:
    with two() as found:
        yield found


# ── one after the other ──────────────────────────────────────────────────────────────────────
def test_what_the_home_has_is_pulled_page_by_page_and_only_once(pair: tuple[Ledger, Afar]) -> None:
    mine, afar = pair
    assert afar.home
    afar.home.begin(OLD, now=50.0)
    afar.home.record([outcome(n, payload=OLD) for n in range(7)], [Loss(ids(1)[0], OLD, 1, "node-2/0", 9.0)])
    assert replica.pull_into(mine, afar) == 7
    assert afar.asked == ["ledger", "rows after 0", "rows after 3", "rows after 6"]
    assert everything(mine) == everything(afar.home)
    assert mine.payloads() == afar.home.payloads()
    afar.asked.clear()
    assert replica.pull_into(mine, afar) == 0
    assert afar.asked == ["ledger", "rows after 8"]
    afar.asked.clear()
    assert replica.push_from(mine, afar) == 0
    assert afar.asked == ["ledger"], "what was just pulled is not sent back"


def test_what_was_pushed_is_not_pulled_again(pair: tuple[Ledger, Afar]) -> None:
    mine, afar = pair
    mine.record([outcome(n) for n in range(5)])
    assert replica.push_from(mine, afar) == 5
    assert afar.home
    afar.home.record([outcome(7)])
    afar.asked.clear()
    assert replica.pull_into(mine, afar) == 1
    assert afar.asked == ["ledger", "rows after 5"]


def test_a_new_home_gets_everything_and_a_new_ledger(pair: tuple[Ledger, Afar], tmp_path: Path) -> None:
    mine, afar = pair
    mine.begin(NEW, now=70.0)
    mine.record([outcome(1), outcome(2, "failed")], [Loss(ids(2)[0], NEW, 1, "node-1/0", 5.0)])
    assert replica.push_from(mine, afar) == 2
    later = Afar(None, tmp_path / "after destroy")
    assert replica.push_from(mine, later) == 2
    assert later.home
    with later.home:
        assert everything(later.home) == everything(mine)
        assert later.home.payloads() == mine.payloads()
        assert later.home.counts(NEW) == Counts(1, 1)
        assert later.home.uuid not in {mine.uuid, ""}


def test_a_home_set_back_to_a_copy_of_yesterday_is_filled_again(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "home", "waves", create=True) as home:
        home.record([outcome(1)])
    copy = (tmp_path / "home").read_bytes()
    with Ledger.open(tmp_path / "mine", "waves", create=True) as mine:
        with Ledger.open(tmp_path / "home", "waves", create=True) as home:
            home.record([outcome(2)])
            replica.pull_into(mine, Afar(home, tmp_path))
        (tmp_path / "home").write_bytes(copy)
        with Ledger.open(tmp_path / "home", "waves", create=True) as home:
            assert replica.push_from(mine, Afar(home, tmp_path)) == 1
            assert everything(home) == everything(mine)


def test_the_line_is_cut_after_a_page_was_recorded_and_before_the_answer(pair: tuple[Ledger, Afar]) -> None:
    mine, afar = pair
    mine.record([outcome(n) for n in range(5)])
    afar.answers = 2
    with pytest.raises(ControllerError):
        replica.push_from(mine, afar)
    afar.answers = float("inf")
    assert replica.push_from(mine, afar) == 0, "they are there already"
    assert replica.pull_into(mine, afar) == 0
    assert afar.home
    assert everything(mine) == everything(afar.home)


def test_numbers_that_json_does_not_have_arrive(pair: tuple[Ledger, Afar]) -> None:
    mine, afar = pair
    mine.record([outcome(1, result={"a": float("-inf"), "text": "Überlauf 😀"})])
    replica.push_from(mine, afar)
    assert afar.home
    found = afar.home.outcome(ids(1)[0])
    assert found
    assert found["result"] == {"a": float("-inf"), "text": "Überlauf 😀"}


def test_an_outcome_larger_than_a_page_travels_alone(pair: tuple[Ledger, Afar]) -> None:
    mine, _ = pair
    mine.record([outcome(1), outcome(2, result={"value": "x" * 9_000_000}), outcome(3)])
    sizes, after, more = [], 0, True
    while more:
        page = mine.page(after)
        sizes.append(len(page.outcomes))
        after, more = page.last, page.more
    assert sizes == [1, 1, 1]


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"format": 2, "rows": [], "losses": []},
        {"format": 1, "rows": [{"id": "x"}], "losses": []},
        {"format": 1, "rows": [], "losses": [{"id": "x"}]},
    ],
)
def test_what_are_no_rows_is_refused(body: Any) -> None:
    with pytest.raises(ControllerError, match="these are not rows"):
        replica.read_page(body)


@dataclass
class Owner:
    places: Any


def test_a_study_that_nothing_is_recorded_of_leaves_no_trace(tmp_path: Path) -> None:
    study = Owner(places(tmp_path / "ensemble.yaml", "waves"))
    afar = Afar(None, tmp_path / "home")
    assert replica.pull(study, afar) == 0
    assert replica.push(study, afar) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_study_without_a_ledger_here_gets_one_by_the_first_pull(tmp_path: Path) -> None:
    (tmp_path / "ensemble.yaml").write_text("")
    study = Owner(places(tmp_path / "ensemble.yaml", "waves"))
    with Ledger.open(tmp_path / "home", "waves", create=True) as home:
        home.record([outcome(1)])
        assert replica.pull(study, Afar(home, tmp_path)) == 1
    with Ledger.open(study.places.ledger, "waves") as mine:
        assert mine.meta.spec == str(tmp_path / "ensemble.yaml")
        assert mine.states(ids(1), NEW) == {ids(1)[0]: "done"}


# ── in any order ─────────────────────────────────────────────────────────────────────────────
RECORDS = st.tuples(
    st.sampled_from(["mine", "home"]),
    st.lists(
        st.tuples(
            st.integers(0, 4),
            st.sampled_from(["done", "failed"]),
            st.integers(1, 2),
            st.sampled_from([OLD, NEW]),
        ),
        max_size=5,
    ),
    st.lists(st.tuples(st.integers(0, 4), st.integers(1, 3)), max_size=2),
)
MOVES = st.tuples(st.sampled_from(["pull", "push"]), st.one_of(st.none(), st.integers(1, 4)), st.none())


@given(st.lists(st.one_of(RECORDS, MOVES), max_size=12))
@settings(max_examples=150, deadline=None)
def test_whatever_happened_after_a_pull_and_a_push_both_have_the_union(steps: list[Any]) -> None:
    """A number with a move: so many answers arrive before the line is cut."""
    with two() as (mine, afar):
        assert afar.home
        known: set[Any] = set()
        for what, first, second in steps:
            if what in {"mine", "home"}:
                outcomes = [outcome(n, status, attempt, payload) for n, status, attempt, payload in first]
                losses = [Loss(ids(n)[0], NEW, 1, "node-1/0", float(at)) for n, at in second]
                (mine if what == "mine" else afar.home).record(outcomes, losses)
                known |= {(x["id"], x["payload"], x["attempt"]) for x in outcomes}
                continue
            afar.answers = float("inf") if first is None else first
            with suppress(ControllerError):
                (replica.pull_into if what == "pull" else replica.push_from)(mine, afar)
        afar.answers = float("inf")
        replica.pull_into(mine, afar)
        replica.push_from(mine, afar)
        here, there = everything(mine), everything(afar.home)
        assert here[0].keys() == there[0].keys() == known
        assert here[1] == there[1]
        for payload in (OLD, NEW):
            last = {job: attempt for job, digest, attempt in sorted(known) if digest == payload}
            endings = [here[0][(job, payload, attempt)]["status"] for job, attempt in last.items()]
            assert mine.counts(payload) == Counts(endings.count("done"), endings.count("failed"))
        afar.asked.clear()
        assert replica.pull_into(mine, afar) == replica.push_from(mine, afar) == 0
        assert not [x for x in afar.asked if x.endswith(" rows")], "what is on both sides was sent again"
