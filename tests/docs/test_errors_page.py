"""docs/errors.md has a heading for every code there is, and each of its snippets does what it says.

A snippet is a diff: with its red lines the study gets the code of the heading, on a line that the mend changes; with
its green ones it does not, and has no error. It is a part of the page's own ensemble file, or the whole of the file
that a comment above it names. What no snippet can show is made by a function here.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path

import openpyxl
import pytest

from cloudburst.compile import payload
from cloudburst.compile.checks import MOST_TOKENS
from cloudburst.diagnostics import MOST_TOLD, Diagnostic
from cloudburst.run.observe import diagnose
from cloudburst.spec import document, extending
from tests.docs.snippets import ROOT, Snippet, snippets

PAGE = ROOT / "docs" / "errors.md"
SPEC = "ensemble.yaml"
TABLE = "scenarios.csv"


# ── the codes of the source ──────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Taker:
    """A parameter of a function, or a field of a class, that takes a code or a part of one.

    `place` is where it stands among positional arguments. Methods and private functions are called in their own
    module only: others may have a method of the same name.
    """

    module: Path
    function: str
    parameter: str
    place: int
    default: ast.expr | None
    is_method: bool = False

    def is_called_from(self, module: Path) -> bool:
        return module == self.module or not (self.is_method or self.function.startswith("_"))

    def argument(self, call: ast.Call) -> ast.expr | None:
        named = {keyword.arg: keyword.value for keyword in call.keywords}
        positional = call.args[self.place] if self.place < len(call.args) else None
        return named.get(self.parameter, positional)


@dataclass(frozen=True)
class Written:
    """An expression whose value becomes a code; `inside` may hand one of its own parameters on."""

    module: Path
    expression: ast.expr
    inside: ast.FunctionDef | None = None


class Source:
    """Follows what is passed as a code back to where it is written."""

    def __init__(self, root: Path) -> None:
        self.trees = {path: ast.parse(path.read_text("utf-8")) for path in sorted(root.rglob("*.py"))}
        self.calls = [
            (path, call, inside) for path, tree in self.trees.items() for call, inside in _calls(tree)
        ]
        self.constructors = {part: cls for _, cls in self._classes() for part in cls.body}
        self.known: dict[Taker, set[str]] = {}

    def codes(self) -> set[str]:
        """Every word that can become the `code` of a class that has one."""
        takers = (_field_code(module, cls) for module, cls in self._classes())
        return set().union(*(self.given(taker) for taker in takers if taker is not None))

    def given(self, taker: Taker) -> set[str]:
        """Every word that some call passes."""
        if taker not in self.known:
            self.known[taker] = set()
            self.known[taker] = set().union(*map(self.words, self._passed(taker)))
        return self.known[taker]

    def words(self, written: Written) -> set[str]:
        module, inside = written.module, written.inside
        match written.expression:
            case ast.Constant(value=str(word)):
                return {word}
            case ast.Attribute(attr="code"):
                return set()  # handed on from a value that got it elsewhere
            case ast.FormattedValue(value=value):
                return self.words(Written(module, value, inside))
            case ast.JoinedStr(values=parts):
                return set(
                    map("".join, product(*(self.words(Written(module, part, inside)) for part in parts)))
                )
            case ast.Name(id=name) if inside is not None and (taker := self._parameter(module, inside, name)):
                return self.given(taker)
            case ast.Name(id=name) if constants := _constants(self.trees[module], name):
                return constants
        raise AssertionError(f"{module}:{written.expression.lineno}: which code is this?")

    def _passed(self, taker: Taker) -> Iterator[Written]:
        if taker.default is not None:
            yield Written(taker.module, taker.default)
        for module, call, inside in self.calls:
            if _called(call) == taker.function and taker.is_called_from(module):
                argument = taker.argument(call)
                if argument is not None:
                    yield Written(module, argument, inside)

    def _parameter(self, module: Path, function: ast.FunctionDef, name: str) -> Taker | None:
        names = [argument.arg for argument in function.args.args]
        if name not in names:
            return None
        defaults = [None] * (len(names) - len(function.args.defaults)) + [*function.args.defaults]
        place, is_method = names.index(name), names[0] == "self"
        called = function.name
        if called == "__init__":
            called, is_method = self.constructors[function].name, False
        return Taker(module, called, name, place - (names[0] == "self"), defaults[place], is_method)

    def _classes(self) -> Iterator[tuple[Path, ast.ClassDef]]:
        for module, tree in self.trees.items():
            yield from ((module, node) for node in ast.walk(tree) if isinstance(node, ast.ClassDef))


def _calls(tree: ast.Module) -> Iterator[tuple[ast.Call, ast.FunctionDef | None]]:
    """Every call with the function it stands in."""
    waiting: list[tuple[ast.AST, ast.FunctionDef | None]] = [(tree, None)]
    while waiting:
        node, inside = waiting.pop()
        if isinstance(node, ast.Call):
            yield node, inside
        here = node if isinstance(node, ast.FunctionDef) else inside
        waiting += [(child, here) for child in ast.iter_child_nodes(node)]


def _called(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _field_code(module: Path, cls: ast.ClassDef) -> Taker | None:
    fields = [node for node in cls.body if isinstance(node, ast.AnnAssign)]
    for place, field in enumerate(fields):
        if ast.unparse(field.target) == "code" and ast.unparse(field.annotation) == "str":
            return Taker(module, cls.name, "code", place, field.value)
    return None


def _constants(tree: ast.Module, name: str) -> set[str]:
    """The text a module's own name stands for, if any."""
    assigned = (node for node in tree.body if isinstance(node, ast.Assign))
    return {
        node.value.value
        for node in assigned
        if ast.unparse(node.targets[0]) == name
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }


# ── the page ─────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Change:
    """One diff. `before` and `after` are the file's text, or the part of the ensemble file, without its marks."""

    file: str
    before: str
    after: str
    removed: frozenset[int]
    """Lines of `before`, from 1, that are not in `after`."""

    @classmethod
    def of(cls, snippet: Snippet) -> Change:
        lines = [line or " " for line in snippet.text.splitlines()]
        assert all(line[0] in "-+ " for line in lines), f"{snippet}: a line without its mark"
        before = [line for line in lines if line[0] != "+"]
        return cls(
            file=snippet.value if snippet.mark == "file" else SPEC,
            before=_text(before),
            after=_text(line for line in lines if line[0] != "-"),
            removed=frozenset(number for number, line in enumerate(before, 1) if line[0] == "-"),
        )


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line[1:]}\n" for line in lines)


@dataclass(frozen=True)
class Entry:
    """One heading; `around` is the ensemble file its snippets are parts of."""

    code: str
    around: str
    changes: tuple[Change, ...]


class Page:
    """The catalogue, read: what all snippets are parts of, then one entry for each heading."""

    def __init__(self) -> None:
        self.text = PAGE.read_text("utf-8")
        self._blocks = list(snippets(PAGE))

    @cached_property
    def spec(self) -> str:
        return next(s.text for s in self._blocks if s.language == "yaml" and not s.mark)

    @cached_property
    def files(self) -> dict[str, str]:
        """The files that are shown whole."""
        return {s.value: s.text for s in self._blocks if s.mark == "file" and s.language != "diff"}

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        headings = [
            (self.text.count("\n", 0, found.start()) + 1, found["code"])
            for found in re.finditer(r"^#{2,3} (?:`(?P<code>[\w-]+)`|.*)$", self.text, re.MULTILINE)
        ]
        ends = [line for line, _ in headings[1:]] + [self.text.count("\n") + 1]
        entries, around = [], self.spec
        for (begin, code), end in zip(headings, ends, strict=True):
            blocks = [s for s in self._blocks if begin < s.line < end]
            if code is None:
                around = with_part(self.spec, "".join(s.text for s in blocks if s.mark == "fragment"))
            else:
                changes = tuple(Change.of(s) for s in blocks if s.language == "diff")
                entries.append(Entry(code, around, changes))
        return tuple(entries)


def with_part(spec: str, part: str) -> str:
    """`spec` with `part` at its end, in place of what it said under the same keys."""
    own = set(re.findall(r"^(\w+):", part, re.MULTILINE))
    keys = re.findall(r"^\w+:.*\n(?:[ \n].*\n?)*", spec, re.MULTILINE)
    return "".join(text for text in keys if text.partition(":")[0] not in own) + part


PAGE_READ = Page()
SHOWN = [entry for entry in PAGE_READ.entries if entry.changes]


# ── studies ──────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The study the page is about, as its first lines say."""
    home = tmp_path / "study"
    (home / "model").mkdir(parents=True)
    (home / "data").mkdir()
    (home / "model" / "solve").touch(mode=0o755)
    (home / TABLE).write_text("x,pipe,note\n1.5,010,old\n-1,020,\n", "utf-8")
    for city in (home / "data" / "city.inp", tmp_path / "city.inp"):
        city.write_text("[END]\n", "utf-8")
    for name, text in {SPEC: PAGE_READ.spec, **PAGE_READ.files}.items():
        (home / name).write_text(text, "utf-8")
    return home


def found(home: Path, files: Mapping[str, str]) -> tuple[Diagnostic, ...]:
    """What is said of the study with these files; one that is empty is not there."""
    for name, text in files.items():
        (home / name).write_text(text, "utf-8")
        if not text:
            (home / name).unlink()
    return diagnose(home / SPEC)


def failing(entry: Entry) -> dict[str, str]:
    return _files(entry, {change.file: change.before for change in entry.changes})


def mended(entry: Entry) -> dict[str, str]:
    return _files(entry, {change.file: change.after for change in entry.changes})


def _files(entry: Entry, changed: Mapping[str, str]) -> dict[str, str]:
    return {**changed, SPEC: with_part(entry.around, changed.get(SPEC, ""))}


def stands_on_a_line_that_changes(d: Diagnostic, home: Path, entry: Entry) -> bool:
    """In a file of the worker or a table the place is in the sentence, and the line that of its name in the spec."""
    name = Path(d.file).relative_to(home).as_posix()
    change = next((change for change in entry.changes if change.file == name), None)
    if change is None:
        return bool(d.snippet) and d.path.startswith(("worker", "parameters.table"))
    if d.span is None:
        return not d.path  # it is about the file as a whole
    first = failing(entry)[name].count("\n") - change.before.count("\n")
    return any(line - first in change.removed for line in range(d.span.line, d.span.end_line + 1))


# ── what no snippet can show ─────────────────────────────────────────────────────────────────
def too_deep(home: Path) -> None:
    with (home / SPEC).open("a", encoding="utf-8") as file:
        file.write("job: {x: " + "[" * document.MAX_DEPTH + "]" * document.MAX_DEPTH + "}\n")


def empty_file(home: Path) -> None:
    (home / SPEC).write_text("# nothing yet\n", "utf-8")


def not_utf_8(home: Path) -> None:
    (home / SPEC).write_bytes("name: zürich\n".encode("latin-1"))


def file_too_large(home: Path) -> None:
    (home / SPEC).write_bytes(b"#" * (document.MAX_BYTES + 1))


def too_many_mistakes(home: Path) -> None:
    with (home / SPEC).open("a", encoding="utf-8") as file:
        file.writelines(f"key-{number}: 1\n" for number in range(MOST_TOLD + 1))


def too_many_expressions(home: Path) -> None:
    with (home / SPEC).open("a", encoding="utf-8") as file:
        file.write("job:\n")
        file.writelines(f'  k{number}: "{{{{ x + {number} }}}}"\n' for number in range(MOST_TOKENS // 3 + 1))


def job_too_large(home: Path) -> None:
    part = f"parameters: {{fixed: {{x: {'load' * 150_000}}}, cases: [{{n: 1}}]}}\njob: {{x: '{{{{ x }}}}', again: '{{{{ x }}}}'}}\n"
    (home / SPEC).write_text(with_part(PAGE_READ.spec, part), "utf-8")


def not_executable(home: Path) -> None:
    (home / SPEC).write_text(
        with_part(PAGE_READ.spec, "worker: {directory: model, command: [./solve]}\n"), "utf-8"
    )
    (home / "model" / "solve").chmod(0o644)


def unreadable_file(home: Path) -> None:
    """A directory in a file's place: permissions would not stop a test that root runs."""
    (home / "model" / ".cloudburstignore").mkdir()


def broken_link(home: Path) -> None:
    (home / "model" / "net.inp").symlink_to("nowhere.inp")


def link_outside(home: Path) -> None:
    (home / "model" / "city.inp").symlink_to(home / "data" / "city.inp")


def link_loop(home: Path) -> None:
    (home / "model" / "again").symlink_to(home / "model")


def strange_name(home: Path) -> None:
    try:
        (home / "model" / os.fsdecode(b"z\xfcrich.inp")).touch()
    except OSError:
        pytest.skip("this file system refuses such names itself")


def large_payload(home: Path) -> None:
    with (home / "model" / "data.bin").open("wb") as file:
        file.write(os.urandom(payload.LARGE + 1))


def unknown_sheet(home: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["x"])
    book.save(home / "scenarios.xlsx")
    part = "parameters: {table: {file: scenarios.xlsx, sheet: Scenarios}}\n"
    (home / SPEC).write_text(with_part(PAGE_READ.spec, part), "utf-8")


def extends_too_far(home: Path) -> None:
    """Each file above the one before it."""
    with (home / SPEC).open("a", encoding="utf-8") as file:
        file.write("extends: base0.yaml\n")
    for number in range(extending.MAX_LEVELS + 1):
        (home / f"base{number}.yaml").write_text(f"extends: base{number + 1}.yaml\n", "utf-8")


MADE: dict[str, Callable[[Path], None]] = {
    "too-deep": too_deep,
    "empty-file": empty_file,
    "not-utf-8": not_utf_8,
    "file-too-large": file_too_large,
    "too-many-mistakes": too_many_mistakes,
    "too-many-expressions": too_many_expressions,
    "job-too-large": job_too_large,
    "not-executable": not_executable,
    "unreadable-file": unreadable_file,
    "broken-link": broken_link,
    "link-outside": link_outside,
    "link-loop": link_loop,
    "strange-name": strange_name,
    "large-payload": large_payload,
    "unknown-sheet": unknown_sheet,
    "extends-too-far": extends_too_far,
}


ANSWERED = {
    "account-locked",
    "account-unverified",
    "account-warning",
    "ambiguous-image",
    "droplet-limit",
    "fleet-conflict",
    "image-not-here",
    "missing-extra",
    "over-max-cost",
    "reaper-token-missing",
    "region-closed",
    "size-gone",
    "size-not-here",
    "size-too-small",
    "ssh-key",
    "unknown-image",
    "unknown-region",
    "unknown-size",
    "unknown-vpc",
    "vpc-not-here",
}
"""What the file alone does not say: an account answers it, the machines that stand, or what is installed here."""


# ── the tests ────────────────────────────────────────────────────────────────────────────────
def test_every_code_has_its_heading_and_every_heading_its_code() -> None:
    codes = Source(ROOT / "cloudburst").codes()
    headings = [entry.code for entry in PAGE_READ.entries]
    assert len(headings) == len(set(headings)), "a heading stands twice"
    assert codes - set(headings) == set(), "codes without a heading"
    assert set(headings) - codes == set(), "headings of codes there are none of"


def test_what_no_snippet_shows_is_made_here_or_answered_afar() -> None:
    assert {entry.code for entry in PAGE_READ.entries if not entry.changes} == set(MADE) | ANSWERED


@pytest.mark.parametrize("code", sorted(ANSWERED))
def test_what_is_answered_afar_has_a_test_where_it_is_asked(code: str) -> None:
    tests = (path for path in (ROOT / "tests").rglob("test_*.py") if path.parent.name != "docs")
    assert any(re.search(rf"\b{code}\b", path.read_text("utf-8")) for path in tests)


def test_nothing_is_wrong_with_the_study_around_the_snippets(home: Path) -> None:
    assert diagnose(home / SPEC) == ()


@pytest.mark.parametrize("entry", SHOWN, ids=lambda entry: entry.code)
def test_the_red_lines_give_the_code(entry: Entry, home: Path) -> None:
    said = found(home, failing(entry))
    given = [d for d in said if d.code == entry.code]
    assert given, f"{entry.code} is not among {[(d.code, d.message) for d in said]}"
    assert any(stands_on_a_line_that_changes(d, home, entry) for d in given), given


@pytest.mark.parametrize("entry", SHOWN, ids=lambda entry: entry.code)
def test_the_green_lines_mend_it(entry: Entry, home: Path) -> None:
    said = found(home, mended(entry))
    assert [(d.code, d.message) for d in said if d.code == entry.code or d.severity == "error"] == []


@pytest.mark.parametrize("code", MADE)
def test_what_is_told_in_words_gives_the_code(code: str, home: Path) -> None:
    MADE[code](home)
    assert code in {d.code for d in diagnose(home / SPEC)}
