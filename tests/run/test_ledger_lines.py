"""A ledger as text: all of it, as of one moment, and read back the same."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import IO, Any

import pytest

from cloudburst.errors import LedgerError
from cloudburst.run.ledger import Ledger, Loss
from cloudburst.run.ledger_lines import read_lines, write_lines

from .test_ledger import NEW, outcome

OTHER = "c" * 64


def opened(path: Path) -> Ledger:
    return Ledger.open(path / "ledger.sqlite", "waves", create=True)


def filled(path: Path) -> Ledger:
    """Outcomes and losses in turn, of two payloads, with values JSON has no word for."""
    ledger = opened(path)
    ledger.begin(NEW, now=5.0)
    ledger.begin(OTHER, now=7.25)
    ledger.record([outcome(1, result={"value": float("nan"), "text": "\ud800 ü"})])
    ledger.record([], [Loss("2" * 20, OTHER, 1, "node-1", 3.5)])
    ledger.record([outcome(2, payload=OTHER), outcome(3)])
    return ledger


def text_of(ledger: Ledger) -> str:
    file = io.StringIO()
    write_lines(ledger, file)
    return file.getvalue()


def test_read_back_it_is_the_same_ledger_in_the_same_order(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with filled(tmp_path) as ledger, opened(tmp_path / "other") as other:
        text = text_of(ledger)
        assert other.absorb(*read_lines(text.splitlines(), "waves")) == 3
        assert text_of(other) == text
        assert other.newest_payload() == OTHER
        assert repr(other.outcome(1)) == repr(ledger.outcome(1))
        assert other.absorb(*read_lines(text.splitlines(), "waves")) == 0
        assert text_of(other) == text, "once more is nothing new"


def test_losses_keep_their_places_between_outcomes(tmp_path: Path) -> None:
    with filled(tmp_path) as ledger:
        kinds = [
            "loss" if "at" in json.loads(line) else "outcome" for line in text_of(ledger).splitlines()[1:]
        ]
    assert kinds == ["outcome", "loss", "outcome", "outcome"]


def test_what_is_recorded_meanwhile_is_not_in_it(tmp_path: Path) -> None:
    class Slow(io.StringIO):
        """Somebody commits between two lines."""

        def write(self, text: str, /) -> int:
            with opened(tmp_path) as writer:
                writer.begin("d" * 64)
                writer.record([outcome(self.tell() + 10, payload="d" * 64)])
            return super().write(text)

    with filled(tmp_path) as ledger:
        before = text_of(ledger)
        file: IO[str] = Slow()
        assert write_lines(ledger, file).outcomes == 3
        assert file.getvalue() == before  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "line", ["", "{", "[1]", '{"id": 1}', '{"format":1}', "[" * 100_000], ids=lambda line: line[:8]
)
def test_a_line_that_is_none_leaves_the_ledger_as_it_was(tmp_path: Path, line: str) -> None:
    with filled(tmp_path) as ledger:
        before = text_of(ledger)
        good = json.dumps(outcome(9))
        lines = [before.splitlines()[0], good, line]
        with pytest.raises(LedgerError):
            ledger.absorb(*read_lines(lines, "waves"))
        assert text_of(ledger) == before
        with pytest.raises(LedgerError):
            read_lines([line], "waves")


def test_another_studys_records_are_refused(tmp_path: Path) -> None:
    with filled(tmp_path) as ledger, pytest.raises(LedgerError, match="of the study 'waves', not of 'tanks'"):
        read_lines(text_of(ledger).splitlines(), "tanks")


def test_objects_are_named_once_in_the_order_of_recording(tmp_path: Path) -> None:
    def returned(*digests: str) -> dict[str, Any]:
        return {f"f{n}": {"object": digest, "name": "f", "size": 1} for n, digest in enumerate(digests)}

    with opened(tmp_path) as ledger:
        ledger.record([outcome(1, files=returned("f" * 64, "e" * 64))])
        series = {"object": "d" * 64, "names": ["level"]}
        ledger.record([outcome(2, files=returned("e" * 64), series=series)])
        assert write_lines(ledger, io.StringIO()).objects == ("f" * 64, "e" * 64, "d" * 64)
