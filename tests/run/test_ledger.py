from __future__ import annotations

import math
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudburst.errors import LedgerError
from cloudburst.run import ledger_schema, ledger_walk
from cloudburst.run.ledger import Counts, Ledger, Loss

OLD, NEW = "a" * 64, "b" * 64


def outcome(
    number: int, status: str = "done", attempt: int = 1, payload: str = NEW, **changes: Any
) -> dict[str, Any]:
    return {
        "format": 1,
        "id": f"{number:020x}",
        "row": number,
        "attempt": attempt,
        "payload": payload,
        "status": status,
        "kind": None if status == "done" else "error",
        "error": None if status == "done" else "ValueError: no",
        "output": "",
        "result": {"value": number},
        "series": None,
        "files": {},
        "started": 1532000000.5,
        "seconds": 0.25,
        "worker": "node-1/0",
        **changes,
    }


def ids(*numbers: int) -> list[str]:
    return [f"{number:020x}" for number in numbers]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "größe 1%?#" / "ledger.sqlite"


def opened(path: Path, **options: Any) -> Ledger:
    path.parent.mkdir(exist_ok=True)
    return Ledger.open(path, "waves", create=True, **options)


def test_what_goes_in_comes_out(path: Path) -> None:
    given = outcome(
        3,
        result={"low": 0.1 + 0.2, "text": "Überlauf 😀", "nested": {"a": [1, None, True]}},
        series={"object": "f" * 64, "names": ["tank"]},
        files={"plot": {"object": "e" * 64, "size": 9, "name": "p.png"}},
        output="gelöst\n",
    )
    with opened(path) as ledger:
        assert ledger.record([given]) == 1
        assert ledger.outcome(given["id"]) == given
        found = ledger.outcome(ids(3)[0])
        assert found
        assert list(found["result"]) == ["low", "text", "nested"], "key order has meaning"


def test_nan_infinities_and_half_characters_are_stored(path: Path) -> None:
    with opened(path) as ledger:
        ledger.record([outcome(1, result={"a": math.nan, "b": -math.inf, "c": "\ud800"}, output="x\ud800y")])
        found = ledger.outcome(ids(1)[0])
    assert found
    assert math.isnan(found["result"]["a"])
    assert found["result"]["b"] == -math.inf
    assert found["output"] == "x?y"


def test_the_first_record_of_an_attempt_wins(path: Path) -> None:
    with opened(path) as ledger:
        assert ledger.record([outcome(1), outcome(1, "failed")]) == 1
        assert ledger.record([outcome(1, "failed"), outcome(2)]) == 1
        assert ledger.states(ids(1, 2), NEW) == dict.fromkeys(ids(1, 2), "done")
        assert ledger.counts(NEW) == Counts(2, 0)


def test_states_are_seen_with_a_payload(path: Path) -> None:
    with opened(path) as ledger:
        ledger.record([outcome(1, payload=OLD), outcome(2, payload=OLD), outcome(2), outcome(3, "failed")])
        assert ledger.states(ids(1, 2, 3, 4), NEW) == dict(
            zip(ids(1, 2, 3), ["stale", "done", "failed"], strict=True)
        )
        assert ledger.states(ids(2, 3), "c" * 64) == dict.fromkeys(ids(2, 3), "stale")
        assert ledger.states([], NEW) == {}
        assert ledger.last_attempts(ids(1, 2), "c" * 64) == {}


def test_results_of_other_code_are_kept_when_asked_and_failures_are_not(path: Path) -> None:
    with opened(path) as ledger:
        ledger.record([outcome(1, payload=OLD), outcome(2, "failed", payload=OLD), outcome(3)])
        assert ledger.states(ids(1, 2, 3, 4), NEW, keep_stale=True) == dict(
            zip(ids(1, 2, 3), ("kept", "stale", "done"), strict=True)
        )
        assert set(ledger.last_attempts(ids(1, 2, 3, 4), NEW)) == set(ids(3))
        assert set(ledger.last_attempts(ids(1, 2, 3, 4), NEW, keep_stale=True)) == set(ids(1, 3))
        assert set(ledger.last_attempts(ids(1, 2), "never run", keep_stale=True)) == set(ids(1))


def test_the_outcome_that_counts_is_the_last_attempt_of_the_payload_used_last(path: Path) -> None:
    with opened(path) as ledger:
        ledger.begin(OLD, now=100.0)
        ledger.record([outcome(1, payload=OLD, result={"value": "old"})])
        ledger.begin(NEW, now=200.0)
        ledger.record([outcome(1, "failed"), outcome(1, "done", 2, result={"value": "new"}), outcome(2)])
        assert ledger.outcomes(ids(1))[ids(1)[0]]["result"] == {"value": "new"}
        assert ledger.outcomes(ids(1), OLD)[ids(1)[0]]["result"] == {"value": "old"}
        assert ledger.outcomes(ids(2), OLD)[ids(2)[0]]["payload"] == NEW
        ledger.begin(OLD, now=150.0)  # back to the old code, and the clock was set back
        assert ledger.newest_payload() == OLD
        assert ledger.outcomes(ids(1))[ids(1)[0]]["result"] == {"value": "old"}
        assert {x["id"]: x["payload"] for x in ledger} == dict(zip(ids(1, 2), [OLD, NEW], strict=True))
        assert [x["attempt"] for x in ledger.attempts(ids(1)[0])] == [1, 1, 2]


def test_durations_are_of_jobs_with_all_their_attempts_with_one_payload(path: Path) -> None:
    one, two = ids(1, 2)
    with opened(path) as ledger:
        assert ledger.durations(NEW) == {}
        ledger.record([outcome(2, "failed", seconds=4.0)])
        assert ledger.durations(NEW) == {}, "it may have failed at the door"
        ledger.record([outcome(1, "failed", seconds=1.0), outcome(1, attempt=2, seconds=2.0)])
        ledger.record([outcome(1, payload=OLD, seconds=100.0)])
        assert ledger.durations(NEW) == {one: 3.0, two: 4.0}
        assert ledger.durations(OLD) == {one: 100.0}


def test_durations_are_of_those_that_ended_last(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloudburst.run.ledger.NEWEST", 3)
    with opened(path) as ledger:
        ledger.record(outcome(number, seconds=float(number)) for number in range(1, 9))
        assert sorted(ledger.durations(NEW).values()) == [6.0, 7.0, 8.0]


def test_failures_are_those_of_the_last_attempt(path: Path) -> None:
    with opened(path) as ledger:
        ledger.record(
            [outcome(3, "failed"), outcome(1, "failed"), outcome(2, "failed"), outcome(2, "done", 2)]
        )
        assert list(ledger.failed_rows(NEW)) == list(zip(ids(1, 3), (1, 3), strict=True))
        assert list(ledger.failed_rows(OLD)) == []
        assert list(ledger.failed_rows("c" * 64)) == []
        assert ledger.counts(NEW) == Counts(1, 2)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 5),
            st.sampled_from(["done", "failed"]),
            st.integers(1, 3),
            st.sampled_from([OLD, NEW]),
        )
    )
)
def test_counts_are_what_counting_gives(tmp_path_factory: pytest.TempPathFactory, records: list[Any]) -> None:
    with opened(tmp_path_factory.mktemp("x") / "ledger.sqlite") as ledger:
        for number, status, attempt, payload in records:
            ledger.record([outcome(number, status, attempt, payload)])
        for payload in (OLD, NEW):
            known = [x.status for x in ledger.last_attempts(ids(*range(6)), payload).values()]
            assert ledger.counts(payload) == Counts(known.count("done"), known.count("failed"))


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_merging_is_a_union_and_can_be_repeated(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    records = st.lists(
        st.builds(
            outcome,
            st.integers(0, 4),
            st.sampled_from(["done", "failed"]),
            st.integers(1, 2),
            st.sampled_from([OLD, NEW]),
        ),
        max_size=8,
    )
    here, there = data.draw(records), data.draw(records)
    place = tmp_path_factory.mktemp("x")
    with opened(place / "a.sqlite") as mine, opened(place / "b.sqlite") as other:
        mine.record(here)
        other.record(there, [Loss(ids(1)[0], OLD, 1, "node-2/0", 5.0)])
        keys = {(x["id"], x["payload"], x["attempt"]) for x in (*here, *there)}
        new = mine.merge(other)
        assert new == len(keys) - len({(x["id"], x["payload"], x["attempt"]) for x in here})
        assert mine.merge(other) == 0
        assert {
            (x["id"], x["payload"], x["attempt"]) for n in range(5) for x in mine.attempts(ids(n)[0])
        } == keys
        assert [x.worker for x in mine.losses(OLD)] == ["node-2/0"]


def test_losses_are_no_outcomes(path: Path) -> None:
    with opened(path) as ledger:
        ledger.record(
            [], [Loss(ids(1)[0], NEW, 1, "node-1/0", 1.0), Loss(ids(1)[0], NEW, 1, "node-1/0", 2.0)]
        )
        assert ledger.states(ids(1), NEW) == {}
        assert [x.at for x in ledger.losses(NEW)] == [1.0, 2.0]


def test_a_reader_sees_what_is_committed_while_another_writes(path: Path) -> None:
    with opened(path) as writer:
        writer.record([outcome(1)])
        with Ledger.open(path, "waves") as reader:
            assert reader.counts(NEW) == Counts(1, 0)
            writer.record([outcome(2)])
            assert reader.counts(NEW) == Counts(2, 0)
            with pytest.raises(LedgerError):
                reader.record([outcome(3)])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 12),
            st.integers(1, 3),
            st.sampled_from(["done", "failed"]),
            st.sampled_from([OLD, NEW, "c" * 64]),
        )
    ),
    st.lists(st.integers(0, 15), min_size=1, unique=True),
    st.sampled_from([OLD, NEW, "d" * 64]),
    st.booleans(),
)
def test_ids_that_lie_close_have_the_states_they_have_one_by_one(
    recorded: list[tuple[int, int, str, str]], asked: list[int], payload: str, keep_stale: bool
) -> None:
    with TemporaryDirectory() as place, opened(Path(place) / "of" / "ledger.sqlite") as ledger:
        for number, attempt, status, code in recorded:
            ledger.record([outcome(number, status, attempt, code)])
        one_by_one = ledger.states(ids(*asked), payload, keep_stale=keep_stale)
        with patch.object(ledger_walk, "FEWEST", 1), patch.object(ledger_walk, "_NEIGHBOURS", 1000):
            assert ledger.states(ids(*asked), payload, keep_stale=keep_stale) == one_by_one


def test_thousands_that_lie_close_are_read_in_one_walk_and_others_are_looked_up(path: Path) -> None:
    with opened(path) as ledger:
        ledger.record(outcome(number) for number in range(9000))
        asked: list[str] = []
        ledger._database.set_trace_callback(asked.append)
        assert len(ledger.states(ids(*range(1000, 3000)), NEW)) == 2000
        walk = [one for one in asked if one.lstrip().startswith("SELECT")]
        assert len(walk) == 4
        asked.clear()
        assert len(ledger.states(ids(*range(0, 9000, 15)), NEW)) == 600
        assert any("IN (" in one for one in asked)


def test_many_ids_are_asked_for_at_once(path: Path) -> None:
    with opened(path) as ledger:
        ledger.record(outcome(number) for number in range(3000))
        assert len(ledger.states(ids(*range(4000)), NEW)) == 3000
        assert len(ledger.outcomes(ids(*range(4000)))) == 3000
        assert sum(1 for _ in ledger) == 3000
        assert ledger.last_line() == 3000


def test_ids_by_their_first_digits(path: Path) -> None:
    with opened(path) as ledger:
        ledger.record([outcome(0xABC << 60, row=1), outcome(0xABD << 60, row=2)])
        assert len(ledger.ids_with("00ab")) == 2
        assert ledger.ids_with("00abc") == ids(0xABC << 60)
        assert ledger.ids_with("00ac") == []


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda path: path.write_bytes(b"no database" * 500), "is not a ledger, or is damaged"),
        (
            lambda path: sqlite3.connect(path).execute("PRAGMA user_version = 99").connection.close(),
            "by a later CloudBurst",
        ),
    ],
)
@pytest.mark.parametrize("create", [True, False])
def test_what_is_no_ledger_of_ours_is_not_touched(
    path: Path, spoil: Any, sentence: str, create: bool
) -> None:
    path.parent.mkdir()
    spoil(path)
    before = path.read_bytes()
    with pytest.raises(LedgerError, match=sentence):
        Ledger.open(path, "waves", create=create)
    assert path.read_bytes() == before


def test_another_studys_ledger_is_refused_and_a_missing_one_says_so(path: Path) -> None:
    with pytest.raises(LedgerError, match="there is no ledger"):
        Ledger.open(path, "waves")
    opened(path).close()
    with pytest.raises(LedgerError, match="belongs to the study 'waves', not to 'tides'"):
        Ledger.open(path, "tides", create=True)


def test_it_knows_the_file_it_belongs_to(path: Path) -> None:
    opened(path, spec=Path("/a/ensemble.yaml")).close()
    with opened(path) as ledger:
        assert (ledger.meta.study, ledger.meta.spec) == ("waves", "/a/ensemble.yaml")
    with opened(path, spec=Path("/b/moved.yaml")) as ledger:
        assert ledger.meta.spec == "/b/moved.yaml"


def test_plain_sqlite_reads_it(path: Path) -> None:
    with opened(path) as ledger:
        ledger.record([outcome(2, payload=OLD)])
        ledger.begin(NEW)
        ledger.record([outcome(1, "failed"), outcome(2)])
    database = sqlite3.connect(path)
    found = database.execute("SELECT id, status, payload FROM latest ORDER BY row").fetchall()
    database.close()
    assert found == [(ids(1)[0], "failed", NEW), (ids(2)[0], "done", NEW)]


@pytest.mark.slow
def test_a_kill_loses_nothing_that_was_recorded(path: Path) -> None:
    """From outside, at no moment of its choice, again and again; `test_killed_ledger` chooses the moments."""
    opened(path).close()
    last = -1
    for most in (1, 40, 3, 15):
        last = killed_after(path, last + 1, most)
        with opened(path) as ledger:
            assert len(ledger.states(ids(*range(last + 1)), NEW)) == last + 1
    with opened(path) as ledger:
        ledger.record([outcome(10**7)])


def killed_after(path: Path, first: int, most: int) -> int:
    """A process records from `first` on, and is killed after so many; the last one it said was recorded."""
    program = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_ledger import *
with Ledger.open(Path({str(path)!r}), "waves", create=True) as ledger:
    for n in range({first}, 10**6):
        ledger.record([outcome(n)])
        sys.stdout.write(f"{{n}}\\n"); sys.stdout.flush()
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    last = first
    while last < first + most:
        last = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    last = max([last, *map(int, process.stdout.read().splitlines()[:-1] or [0])])
    process.wait()
    process.stdout.close()
    return last


def version_one(path: Path) -> None:
    """A ledger as the first version made it, with two losses."""
    path.parent.mkdir(exist_ok=True)
    with sqlite3.connect(path, isolation_level=None) as database:
        database.executescript(f"{ledger_schema._VERSION_1}; PRAGMA user_version = 1;")
        database.execute("INSERT INTO meta VALUES ('study', 'waves'), ('created', '1.0')")
        database.execute("INSERT INTO payloads (digest, used) VALUES (?, 1.0)", (NEW,))
        database.executemany(
            "INSERT INTO outcomes (id, payload, attempt, row, status) VALUES (?, 1, 1, 0, 'done')",
            [(job,) for job in ids(1, 2, 3)],
        )
        database.executemany(
            "INSERT INTO losses VALUES (?, 1, 1, 'node-1/0', ?)", [(ids(1)[0], 9.0), (ids(2)[0], 7.0)]
        )
    database.close()


def test_a_ledger_of_version_one_is_brought_up_to_date(path: Path) -> None:
    version_one(path)
    with Ledger.open(path, "waves") as ledger:
        assert ledger.counts(NEW).done == 3
        assert [x.at for x in ledger.losses(NEW)] == [7.0, 9.0], "it can be read as it is"
        assert ledger.uuid == ""
    with opened(path) as ledger:
        uuid, page = ledger.uuid, ledger.page(0)
        assert len(uuid) == 32
        assert ([x["id"] for x in page.outcomes], page.last) == (ids(1, 2, 3), 5)
        assert [x.at for x in page.losses] == [7.0, 9.0]
        ledger.record([outcome(4)], [Loss(ids(4)[0], NEW, 1, "node-1/0", 11.0)])
        assert (ledger.page(5).outcomes[0]["id"], ledger.page(5).last) == (ids(4)[0], 7)
    with opened(path) as ledger:
        assert ledger.uuid == uuid


def test_two_who_bring_it_up_to_date_at_once(path: Path) -> None:
    for _ in range(10):
        version_one(path)
        with ThreadPoolExecutor(4) as pool:
            uuids = set(pool.map(lambda _: name_of(path), range(4)))
        assert len(uuids) == 1
        path.unlink()


def name_of(path: Path) -> str:
    with opened(path) as ledger:
        return ledger.uuid


def test_lines_of_outcomes_and_losses_have_one_count(path: Path) -> None:
    with opened(path) as ledger:
        ledger.record([outcome(1)], [Loss(ids(2)[0], NEW, 1, "node-1/0", 1.0)])
        ledger.record([outcome(2)], [Loss(ids(2)[0], NEW, 1, "node-1/0", 1.0)])
        assert ledger.last_line() == 3
        page = ledger.page(1, at_most=1)
        assert (page.outcomes, page.losses[0].at, page.last, page.more) == ((), 1.0, 2, True)
        page = ledger.page(2, at_most=1)
        assert ([x["row"] for x in page.outcomes], page.last, page.more) == ([2], 3, False)
        assert ledger.page(3).last == 3
        assert ledger.page(0, through=2).last == 2


def test_the_latest_failures_come_first(path: Path) -> None:
    with opened(path) as ledger:
        ledger.record([outcome(n, "failed") for n in (3, 1, 2)])
        ledger.record([outcome(2, "done", attempt=2)])
        assert [x["row"] for x in ledger.latest_failures(NEW, 5)] == [1, 3]
        assert [x["row"] for x in ledger.latest_failures(NEW, 1)] == [1]


def test_who_reads_a_ledger_at_its_first_moment_finds_it_whole(path: Path) -> None:
    path.parent.mkdir()

    def make() -> None:
        opened(path).close()

    def read() -> str:
        while not path.exists():
            pass
        with Ledger.open(path, "waves") as ledger:
            return ledger.uuid

    for _ in range(20):
        with ThreadPoolExecutor(4) as pool:
            readers = [pool.submit(read) for _ in range(2)]
            makers = [pool.submit(make) for _ in range(2)]
            assert len({reader.result() for reader in readers}) == 1
            assert [maker.result() for maker in makers] == [None, None]
        assert not list(path.parent.glob(".*"))
        for file in path.parent.iterdir():
            file.unlink()
