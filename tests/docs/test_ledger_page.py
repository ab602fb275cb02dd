"""docs/ledger.md says how the ledger is laid out; this asks a ledger."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from cloudburst.run.ledger import Ledger
from cloudburst.run.ledger_schema import VERSION

PAGE = (Path(__file__).parent.parent.parent / "docs" / "ledger.md").read_text("utf-8")
ROWS = re.findall(r"^\| `(\w+)`(?: \(a view\))? \| .* \| (.*) \|$", PAGE, re.MULTILINE)
QUESTIONS = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)


def documented(cell: str) -> list[str]:
    """The names at the beginning of each part of a cell; what stands in brackets explains them."""
    parts = re.sub(r"\(.*?\)", "", cell).split(" · ")
    return [name for part in parts for name in re.findall(r"`(\w+)`", part.partition(", as in")[0])]


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ledger") / "ledger.sqlite"
    with Ledger.open(path, "waves", create=True) as made:
        made.record([outcome(1, {"lowest_pressure": 20.5}), outcome(2, None), outcome(3, None)])
    return path


def outcome(row: int, result: dict[str, float] | None) -> dict[str, object]:
    return {
        "id": f"{row:020x}",
        "row": row,
        "attempt": 1,
        "payload": "a" * 64,
        "status": "done" if result else "failed",
        "kind": None if result else "error",
        "error": None if result else "ValueError: no\nTraceback",
        "output": "",
        "result": result,
        "series": None,
        "files": {},
        "started": 1.0,
        "seconds": 0.5,
        "worker": "node-1/0",
    }


def test_every_table_and_column_is_documented_and_there(ledger: Path) -> None:
    with closing(sqlite3.connect(ledger)) as database:
        made = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"
        names = {name for (name,) in database.execute(made)}
        assert {name for name, _ in ROWS} == names
        for name, cell in ROWS:
            columns = {line[1] for line in database.execute(f"PRAGMA table_info({name})")}
            assert set(documented(cell)) == columns, name


def test_the_version_is_the_one_on_the_page() -> None:
    assert f"is the version of this layout, {VERSION}." in PAGE


def test_the_keys_of_meta_are_those_on_the_page(ledger: Path) -> None:
    cell = dict(ROWS)["meta"]
    with closing(sqlite3.connect(ledger)) as database:
        keys = {key for (key,) in database.execute("SELECT key FROM meta")}
    assert set(re.findall(r"`(\w+)`", cell)) == keys | {"key", "value"}


ANSWERS = (["ValueError: no|2"], [f"{1:020x}|20.5"])


@pytest.mark.parametrize(("question", "answer"), list(zip(QUESTIONS, ANSWERS, strict=True)))
def test_plain_sqlite3_answers_the_questions_of_the_page(
    ledger: Path, question: str, answer: list[str]
) -> None:
    if shutil.which("sqlite3") is None:
        assert os.environ.get("CLOUDBURST_REQUIRE_PARTS") != "1", "the program sqlite3 is needed"
        pytest.skip("the program sqlite3 is needed: apt-get install sqlite3")
    done = subprocess.run(["sqlite3", "-readonly", ledger, question], capture_output=True, text=True)
    assert (done.stdout.splitlines(), done.stderr) == (answer, "")
