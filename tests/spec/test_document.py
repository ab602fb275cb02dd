from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from cloudburst.diagnostics import Problem, Span
from cloudburst.errors import CloudBurstError
from cloudburst.spec import document
from cloudburst.spec.document import Document, parse, read

FILE = Path("study.yaml")
BILLION_LAUGHS = "a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
LADDER = "a0: &a0 []\n" + "".join(f"a{step}: &a{step} [*a{step - 1}]\n" for step in range(1, 100))


def values(text: str | bytes) -> Any:
    found, diagnostics = parse(text.encode() if isinstance(text, str) else text, FILE)
    assert diagnostics == ()
    return found.value


def marks(text: str | bytes) -> list[tuple[int, int, str]]:
    _, diagnostics = parse(text.encode() if isinstance(text, str) else text, FILE)
    return [(d.span.line, d.span.column, d.code) for d in diagnostics if d.span]


@pytest.fixture(params=["C", "Python"])
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both of PyYAML's parsers: the one in C is absent where it was built without libyaml."""
    chosen = document.LOADER if request.param == "C" else yaml.SafeLoader
    monkeypatch.setattr(document, "LOADER", chosen)


# ── values ───────────────────────────────────────────────────────────────────────────────────
def test_values_are_those_of_json_in_the_order_written() -> None:
    text = "b: {x: [1, 2.5, true, null, a b]}\na:\n- 'quoted'\n- |\n  two\n  lines\n- \"\\u00e9\"\n"

    found = values(text)

    assert found == {"b": {"x": [1, 2.5, True, None, "a b"]}, "a": ["quoted", "two\nlines\n", "é"]}
    assert list(found) == ["b", "a"]


@pytest.mark.parametrize(
    "text", ["\ufeffa: 1", "--- \na: 1", "a: 1\n...\n", "%YAML 1.1\n---\na: 1", "a: 1\r\n", "# c\n\na: 1"]
)
def test_what_editors_put_around_a_file_is_accepted(text: str) -> None:
    assert values(text) == {"a": 1}


def test_keys_that_old_yaml_took_for_truth_values_are_text() -> None:
    assert values("on: 1\nNO: 2\ny: 3\n'1': 4\n'<<': 5") == {"on": 1, "NO": 2, "y": 3, "1": 4, "<<": 5}


def test_an_alias_is_the_value_it_repeats() -> None:
    assert values("a: &x {b: [1]}\nc: *x\n&k d: *k") == {"a": {"b": [1]}, "c": {"b": [1]}, "d": "d"}


def test_quoted_words_are_text() -> None:
    assert values("['1', \"true\", '', '~']") == ["1", "true", "", "~"]


# ── what is refused ──────────────────────────────────────────────────────────────────────────
@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("", (1, 1, "empty-file")),
        ("# nothing\n", (1, 1, "empty-file")),
        ("a: 1\nb: 2\na: 3", (3, 1, "duplicate-key")),
        ("a: {c: 1, c: 2}", (1, 11, "duplicate-key")),
        ("1: a", (1, 1, "key-not-text")),
        ("a:\n  true: b", (2, 3, "key-not-text")),
        ("~: a", (1, 1, "key-not-text")),
        (".inf: a", (1, 1, "key-not-text")),
        ("? [a]\n: b", (1, 3, "key-not-text")),
        ("{{a: 1}: 2}", (1, 1, "unquoted-template")),
        ("a: {[b]: 1}", (1, 5, "key-not-text")),
        ("a: &x b\n*x : c", (2, 1, "key-not-text")),
        ("a: {{ x }}", (1, 4, "unquoted-template")),
        ("a: {{ x }}/b", (1, 4, "unquoted-template")),
        ("a:\n  <<: {c: 2}", (2, 3, "merge-key")),
        ("a: !!str 3", (1, 4, "tag")),
        ("a: !!python/object/apply:os.system [ls]", (1, 4, "tag")),
        ("a: !mine {b: 1}", (1, 4, "tag")),
        ("!k a: 1", (1, 1, "tag")),
        ("a:\n\t- b", (2, 1, "tab")),
        ("a: 1\n---\nb: 2", (2, 1, "second-document")),
        ("a: &x [*x]", (1, 8, "alias-loop")),
        ("a: &x {b: {c: *x}}", (1, 15, "alias-loop")),
        ("a: *x", (1, 4, "unknown-alias")),
        ("a: *.csv", (1, 4, "yaml-syntax")),
        ("a: 1\nb: .inf", (2, 4, "not-a-number")),
        ("[1e999]", (1, 2, "not-a-number")),
        ("a: " + "9" * 400, (1, 4, "not-a-number")),
        ('a: "\\0"', (1, 4, "control-character")),
        ("[" * 100_000, (1, 65, "too-deep")),
        ("{a: " * 100_000, (1, 257, "too-deep")),
        (LADDER, (64, 12, "too-deep")),
        (BILLION_LAUGHS, (5, 12, "too-many-values")),
        ("a: [1, 2", (1, 4, "yaml-syntax")),
        ("a: {b: 1", (1, 4, "yaml-syntax")),
        ("a: 'b", (1, 4, "yaml-syntax")),
        ("a: b: c", (1, 5, "yaml-syntax")),
        ("a: @b", (1, 4, "yaml-syntax")),
        ("a: `b`", (1, 4, "yaml-syntax")),
        ("a: %b", (1, 4, "yaml-syntax")),
        ("a:\n  b: 1\n c: 2", (3, 2, "yaml-syntax")),
        ("- a\nb: 1", (2, 1, "yaml-syntax")),
        ("a: - b", (1, 4, "yaml-syntax")),
        ("a: 'it's'", (1, 8, "yaml-syntax")),
        ("a: 1\n\x1b[31m: 2", (2, 1, "control-character")),
        ("a: \x00", (1, 4, "control-character")),
    ],
)
def test_each_hard_input_is_one_diagnostic_with_its_place(text: str, mark: tuple[int, int, str]) -> None:
    assert marks(text) == [mark]


@pytest.mark.parametrize(
    ("data", "mark"),
    [
        (b"a: 1\nb: \xff", (2, 4, "not-utf-8")),
        (b"\xef\xbb\xbfa: \xe9", (1, 4, "not-utf-8")),
        ("a: 1".encode("utf-16"), (1, 1, "not-utf-8")),
        (b"a: " + b"x" * 1_000_000, (1, 1, "file-too-large")),
    ],
)
def test_bytes_that_are_no_small_utf_8_file(data: bytes, mark: tuple[int, int, str]) -> None:
    assert marks(data) == [mark]


def test_half_a_character_in_an_escape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "LOADER", yaml.SafeLoader)  # libyaml refuses it by itself

    assert marks('a: "\\ud800"') == [(1, 4, "control-character")]


def test_mistakes_that_do_not_stop_the_reader_are_all_reported() -> None:
    text = "a: .inf\na: 2\n1: x\nb: !t 3\nc: {d: 1, d: 2}"

    assert marks(text) == [
        (1, 4, "not-a-number"),
        (2, 1, "duplicate-key"),
        (3, 1, "key-not-text"),
        (4, 4, "tag"),
        (5, 11, "duplicate-key"),
    ]


def test_a_duplicate_key_names_both_places() -> None:
    _, (diagnostic,) = parse(b"a: 1\nb: 2\na: 3", FILE)

    assert [(r.span.line, r.span.column) for r in diagnostic.related] == [(1, 1)]
    assert diagnostic.snippet == "a: 3"


def test_a_second_document_names_the_first() -> None:
    _, (diagnostic,) = parse(b"# study\n---\na: 1\n---\nb: 2", FILE)

    assert [r.span.line for r in diagnostic.related] == [2]


def test_a_bracket_left_open_shows_where_reading_stopped() -> None:
    _, (diagnostic,) = parse(b"a: [1,\nb: 2\nc: 3", FILE)

    assert diagnostic.span is not None
    assert diagnostic.span.line == 1
    assert diagnostic.related


# ── places ───────────────────────────────────────────────────────────────────────────────────
TEXT = """\
# a comment
name: study
grid:
  demand: [0.8, 1.0]
  network:
  - net3.inp
text: |
  two
  lines

empty:
last: {a: 1}
"""


@pytest.fixture
def found() -> Document:
    return parse(TEXT.encode(), FILE)[0]


@pytest.mark.parametrize(
    ("path", "at", "span"),
    [
        (("name",), "value", Span(2, 7, 2, 12)),
        (("name",), "key", Span(2, 1, 2, 5)),
        (("grid",), "value", Span(4, 3, 6, 13)),
        (("grid", "demand", 1), "value", Span(4, 17, 4, 20)),
        (("grid", "network"), "value", Span(6, 3, 6, 13)),
        (("text",), "value", Span(7, 7, 9, 8)),
        (("empty",), "value", Span(11, 1, 11, 6)),
        (("last",), "value", Span(12, 7, 12, 13)),
        ((), "value", Span(2, 1, 12, 13)),
        (("grid", "demand", 7, "x"), "value", Span(4, 11, 4, 21)),
        (("nowhere", "at", "all"), "key", Span(2, 1, 12, 13)),
    ],
)
def test_places(found: Document, path: tuple[str | int, ...], at: str, span: Span) -> None:
    assert found.span(path, at) == span


def test_an_alias_stands_where_it_is_written_and_its_parts_where_they_are() -> None:
    found, _ = parse(b"a: &x [1, 2]\nb: *x", FILE)

    assert found.span(("b",)) == Span(2, 4, 2, 6)
    assert found.span(("b", 1)) == Span(1, 11, 1, 12)


def test_problems_get_their_line_their_snippet_and_their_path(found: Document) -> None:
    problem = Problem("code", ("grid", "demand", 0), "message", "hint", related=((("name",), "see"),))

    (diagnostic,) = found.place([problem])

    assert diagnostic.span == Span(4, 12, 4, 15)
    assert diagnostic.snippet == "  demand: [0.8, 1.0]"
    assert diagnostic.path == "grid.demand[0]"
    assert diagnostic.file == "study.yaml"
    assert [(r.span.line, r.span.column, r.message) for r in diagnostic.related] == [(2, 1, "see")]


def test_a_problem_of_a_file_that_could_not_be_read_stands_at_its_beginning() -> None:
    broken, _ = parse(b"a: [", FILE)

    (diagnostic,) = broken.place([Problem("code", ("a",), "message")])

    assert diagnostic.span == Span(1, 1, 1, 1)


def test_words_are_the_texts_without_quotes() -> None:
    found, _ = parse(b"a: x\nb: 'y'\nc: [1, z]\nd: |\n  t\n", FILE)

    assert list(found.words()) == [(("a",), "x"), (("c", 1), "z")]


# ── files ────────────────────────────────────────────────────────────────────────────────────
def test_a_file_that_is_not_there_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(CloudBurstError, match="there is no file") as error:
        read(tmp_path / "ensemble.yaml")

    assert "init" in error.value.hint


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(CloudBurstError, match="cannot read"):
        read(tmp_path)
