"""Pass 1: the bytes of a file -> JSON values, and a place for every key and value. The only home of PyYAML.

Values are built from the parser's events, one at a time, and never by recursion: limits are known before
anything is built (PyYAML's composer ends the process on a deep file), and aliases are shared, not copied.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path as File
from typing import Any, Final

import yaml

from ..diagnostics import MOST_TOLD, Diagnostic, Path, Problem, Related, Span, dotted, too_many
from ..errors import CloudBurstError
from ..secret import masked
from . import scalars, syntax

MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 64
MAX_VALUES: Final = 20_000
"""And keys. Counted as if every alias were written out. All that is done with a file takes some tens of microseconds a value."""

LONGEST_SNIPPET: Final = 10_000
"""Characters of a line that is shown beside what is wrong with it."""

LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_CONTROL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


# ── what a reader gets ───────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Text:
    """A file and its lines."""

    file: File
    lines: tuple[str, ...]


@dataclass(slots=True)
class Node:
    """Where one value stands; `plain`: a scalar without quotes. An alias shares the children of what it repeats.

    `source` is the text it stands in, with its key, when that is not the document's own (`extends`).
    """

    span: Span
    plain: bool = False
    keys: dict[str, Span] = field(default_factory=dict)
    children: dict[str | int, Node] = field(default_factory=dict)
    source: Text | None = None


@dataclass(frozen=True)
class Document:
    """A file, understood as JSON.

    `value` and `root` are None where the text could not be read to its end. `unusable` are the paths of
    values that stand there but mean nothing (a tag, an infinity): they have their diagnostics already.
    `bases` are the files it extends, the nearest first.
    """

    file: File
    lines: tuple[str, ...]
    value: Any = None
    root: Node | None = None
    unusable: tuple[Path, ...] = ()
    bases: tuple[File, ...] = ()

    @property
    def text(self) -> Text:
        """Its own, without what it extends."""
        return Text(self.file, self.lines)

    def place(self, problems: Iterable[Problem]) -> tuple[Diagnostic, ...]:
        """Problems with their lines and columns, in the order given."""
        return tuple(self._diagnostic(problem) for problem in problems)

    def span(self, path: Path, at: str = "value") -> Span:
        """Of the value at `path`, or of its key; where nothing stands there, of what is nearest above it."""
        return self.where(path, at)[1]

    def where(self, path: Path, at: str = "value") -> tuple[Text, Span]:
        """As `span`, with the text it is in."""
        node, key = self._nearest(path)
        if node is None:
            return self.text, Span(1, 1, 1, 1)
        span = key if key is not None and (at == "key" or _is_empty(node.span)) else node.span
        return node.source or self.text, span

    def words(self) -> Iterator[tuple[Path, str]]:
        """Every value that is text and stands without quotes, in the order written."""
        if self.root is not None:
            yield from _words((), self.root, self.value)

    def lone_keys(self) -> Iterator[Path]:
        """Every key within braces that has no value, nor even a colon: `{x}`."""
        if self.root is not None:
            yield from self._lone_keys((), self.root)

    def _lone_keys(self, path: Path, node: Node) -> Iterator[Path]:
        lines = (node.source or self.text).lines
        for part, child in node.children.items():
            key = node.keys.get(part) if isinstance(part, str) else None
            if key is not None and _is_empty(child.span):
                after = _line(lines, key.end_line)[key.end_column - 1 :].lstrip()
                if after[:1] in (",", "}"):
                    yield (*path, part)
            yield from self._lone_keys((*path, part), child)

    def _nearest(self, path: Path) -> tuple[Node | None, Span | None]:
        node, key = self.root, None
        for part in path:
            if node is None or part not in node.children:
                break
            key = node.keys.get(part) if isinstance(part, str) else None
            node = node.children[part]
        return node, key

    def _diagnostic(self, problem: Problem) -> Diagnostic:
        text, span = self.where(problem.path, problem.at)
        return Diagnostic(
            code=problem.code,
            severity=problem.severity,
            message=masked(problem.message),
            file=str(text.file),
            hint=masked(problem.hint),
            span=span,
            snippet=_snippet(text.lines, span.line),
            path=masked(dotted(problem.path)),
            related=tuple(self._related(path, message) for path, message in problem.related),
        )

    def _related(self, path: Path, message: str) -> Related:
        text, span = self.where(path, "key")
        return Related(str(text.file), span, message)


def _words(path: Path, node: Node, value: Any) -> Iterator[tuple[Path, str]]:
    if node.plain and isinstance(value, str):
        yield path, value
    for part, child in node.children.items():
        yield from _words((*path, part), child, value[part])


def _line(lines: tuple[str, ...], number: int) -> str:
    return lines[number - 1] if number <= len(lines) else ""


def _snippet(lines: tuple[str, ...], number: int) -> str:
    """The line as it may be shown; nothing of one that no screen can show."""
    line = _line(lines, number)
    return masked(line) if len(line) <= LONGEST_SNIPPET else ""


def _is_empty(span: Span) -> bool:
    return (span.line, span.column) == (span.end_line, span.end_column)


# ── reading ──────────────────────────────────────────────────────────────────────────────────
def read(file: File) -> tuple[Document, tuple[Diagnostic, ...]]:
    """The document, and what is wrong with its text. Raises CloudBurstError where there is no file to read."""
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise CloudBurstError(
            f"there is no file {file}", "`cloudburst init` makes a study to start from"
        ) from error
    except OSError as error:
        raise CloudBurstError(f"cannot read {file}: {os.strerror(error.errno or 0)}") from error
    return parse(data, file)


def parse(data: bytes, file: File) -> tuple[Document, tuple[Diagnostic, ...]]:
    """As `read`, of bytes at hand; `file` is only a name."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        reader = _Reader(file, data.decode("utf-8"))
    except UnicodeDecodeError as error:
        reader = _Reader(file, data[: error.start].decode("utf-8"))
        reader.refuse_encoding(data, error.start)
    else:
        reader.read(len(data))
    return reader.document(), tuple(reader.found)


class _Stop(Exception):
    """Nothing after this place can be understood; it has its diagnostic."""


@dataclass(slots=True)
class _Open:
    """A map or list whose end has not been seen. `size` and `height` count with aliases written out."""

    value: dict[str, Any] | list[Any]
    node: Node
    anchor: str | None
    in_flow: bool
    start: int
    is_key: bool
    size: int = 1
    height: int = 1
    key: str | None = None
    key_span: Span | None = None

    @property
    def wants_key(self) -> bool:
        return isinstance(self.value, dict) and self.key_span is None


@dataclass(frozen=True, slots=True)
class _Anchored:
    value: Any
    node: Node
    size: int
    height: int


class _Reader:
    """Turns events into values, nodes and diagnostics. One reader, one text."""

    def __init__(self, file: File, text: str) -> None:
        self.found: list[Diagnostic] = []
        self._file, self._text = file, text
        self._lines = tuple(_BREAK.split(text))
        self._value: Any = None
        self._root: Node | None = None
        self._unusable: list[Path] = []
        self._open: list[_Open] = []
        self._anchors: dict[str, _Anchored] = {}
        self._values = 0
        self._begun: Span | None = None

    def read(self, size: int) -> None:
        """To the end, or as far as the text can be understood. `size` in bytes."""
        try:
            self._refuse_size(size)
            self._refuse_control_characters()
            self._read_events()
        except _Stop:
            self._root = None

    def document(self) -> Document:
        if self._root is None:
            return Document(self._file, self._lines)
        return Document(self._file, self._lines, self._value, self._root, tuple(self._unusable))

    # ── before the parser ────────────────────────────────────────────────────────────────────
    def refuse_encoding(self, data: bytes, index: int) -> None:
        is_wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
        message = "the file is UTF-16" if is_wide else f"the byte 0x{data[index]:02x} here is not UTF-8"
        self._report("not-utf-8", self._span_at(len(self._text)), message, "save the file as UTF-8")

    def _refuse_size(self, size: int) -> None:
        if size > MAX_BYTES:
            message = f"the file is larger than {MAX_BYTES // 1_000_000} MB"
            self._stop("file-too-large", Span(1, 1, 1, 1), message, _ROWS)

    def _refuse_control_characters(self) -> None:
        if bad := _CONTROL.search(self._text):
            message = f"the control character U+{ord(bad[0]):04X} stands here"
            self._stop("control-character", self._span_at(bad.start()), message, "delete it")

    def _span_at(self, index: int) -> Span:
        before = _BREAK.split(self._text[:index])
        line, column = len(before), len(before[-1]) + 1
        return Span(line, column, line, column + 1)

    # ── events ───────────────────────────────────────────────────────────────────────────────
    def _read_events(self) -> None:
        try:
            for event in yaml.parse(self._text, Loader=LOADER):
                self._take(event)
        except yaml.MarkedYAMLError as error:
            self._report_syntax(error)
            raise _Stop from error
        if self._root is None:
            self._stop(
                "empty-file",
                Span(1, 1, 1, 1),
                "the file is empty",
                "`cloudburst init` writes one to start from",
            )

    def _take(self, event: Any) -> None:
        match event:
            case yaml.ScalarEvent():
                self._take_scalar(event)
            case yaml.AliasEvent():
                self._take_alias(event)
            case yaml.MappingStartEvent():
                self._begin(event, {})
            case yaml.SequenceStartEvent():
                self._begin(event, [])
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._end(event)
            case yaml.DocumentStartEvent():
                self._begin_document(_span(event))

    def _begin_document(self, span: Span) -> None:
        if self._begun is not None:
            first = Related(str(self._file), self._begun, "the first one begins here")
            hint = "a study is one document: delete `---` and what belongs to the other"
            self._stop("second-document", span, "a second document begins here", hint, first)
        self._begun = span

    def _begin(self, event: Any, value: dict[str, Any] | list[Any]) -> None:
        span = _span(event)
        self._count(1, span)
        self._refuse_depth(1, span)
        is_key = bool(self._open) and self._open[-1].wants_key
        if not is_key:
            self._refuse_tag(event, span)
        start = event.start_mark.index
        self._open.append(_Open(value, Node(span), event.anchor, bool(event.flow_style), start, is_key))

    def _end(self, event: Any) -> None:
        frame = self._open.pop()
        frame.node.span = _whole(frame, event)
        if frame.is_key:
            self._take_complex_key(frame)
        else:
            self._add(_Anchored(frame.value, frame.node, frame.size, frame.height), frame.anchor)

    def _take_scalar(self, event: Any) -> None:
        span = self._scalar_span(event)
        if self._open and self._open[-1].wants_key:
            self._take_key(event, span)
            return
        self._count(1, span)
        self._refuse_tag(event, span)
        value = event.value if event.style else self._resolve(event.value, span)
        if event.style == '"' and _UNSTORABLE.search(event.value):
            self._refuse("control-character", span, *_NO_TEXT)
        self._add(_Anchored(value, Node(span, not event.style), 1, 1), event.anchor)

    def _resolve(self, word: str, span: Span) -> Any:
        try:
            return scalars.resolve(word)
        except scalars.Unusable as error:
            self._refuse("not-a-number", span, error.message, error.hint)
            return None

    def _take_alias(self, event: Any) -> None:
        span, name = _span(event), event.anchor
        if any(frame.anchor == name for frame in self._open):
            self._stop("alias-loop", span, f"*{name} stands inside what it repeats", "write the value out")
        anchored = self._anchors.get(name)
        if anchored is None:
            hint = f"a text that begins with * needs quotes; else write &{name} before the value to repeat, above"
            self._stop("unknown-alias", span, f"nothing above is marked &{name}", hint)
        elif self._open and self._open[-1].wants_key:
            self._refuse_key(span, "an alias")
        else:
            self._count(anchored.size, span)
            self._refuse_depth(anchored.height, span)
            node = Node(span, False, anchored.node.keys, anchored.node.children)
            self._add(_Anchored(anchored.value, node, anchored.size, anchored.height), None)

    def _add(self, made: _Anchored, anchor: str | None) -> None:
        """A value is whole: it goes into what is open, or is the document itself."""
        if anchor is not None:
            self._anchors[anchor] = made
        if not self._open:
            self._value, self._root = made.value, made.node
            return
        frame = self._open[-1]
        frame.size += made.size
        frame.height = max(frame.height, made.height + 1)
        if isinstance(frame.value, list):
            frame.node.children[len(frame.value)] = made.node
            frame.value.append(made.value)
            return
        if frame.key is not None and frame.key_span is not None:
            frame.value[frame.key] = made.value
            frame.node.keys[frame.key] = frame.key_span
            frame.node.children[frame.key] = made.node
        frame.key, frame.key_span = None, None

    # ── keys ─────────────────────────────────────────────────────────────────────────────────
    def _take_key(self, event: Any, span: Span) -> None:
        """`frame.key` stays None for a key that cannot be used: its value is read and forgotten."""
        frame, word = self._open[-1], event.value
        self._count(1, span)
        frame.size += 1
        frame.key_span = span
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(word, Node(span, not event.style), 1, 1)
        if event.style == '"' and _UNSTORABLE.search(word):
            self._report("control-character", span, *_NO_TEXT)
        elif event.tag is not None:
            self._report("tag", span, f"{event.tag} is a tag, and there are none here", "a key is plain text")
        elif not event.style and word == "<<":
            hint = "repeat the keys, or share a whole value by &name and *name"
            self._report("merge-key", span, "merge keys (<<) are not part of this language", hint)
        elif not event.style and not self._reads_as_text(word):
            self._refuse_key(span, _kind(word), word)
        elif first := frame.node.keys.get(word):
            self._report_twice(word, span, first)
        else:
            frame.key = word

    def _report_twice(self, key: str, span: Span, first: Span) -> None:
        related = Related(str(self._file), first, "the first time")
        message = f'the key "{scalars.shortened(key)}" stands twice in one map'
        self._report("duplicate-key", span, message, "keep one of the two", related)

    def _reads_as_text(self, word: str) -> bool:
        try:
            return isinstance(scalars.resolve(word), str)
        except scalars.Unusable:
            return False

    def _take_complex_key(self, frame: _Open) -> None:
        parent = self._open[-1]
        if (
            isinstance(frame.value, dict)
            and parent.in_flow
            and frame.in_flow
            and frame.start == parent.start + 1
        ):
            parent.key_span = frame.node.span
            template = syntax.unquoted_template(_line(self._lines, parent.node.span.line))
            self._report(template.code, parent.node.span, template.message, template.hint)
            return
        self._refuse_key(frame.node.span, "a list or a map")

    def _refuse_key(self, span: Span, what: str, word: str = "") -> None:
        self._open[-1].key_span = span
        hint = f'put it into quotes: "{word}"' if word else 'write "key: value"'
        self._report("key-not-text", span, f"a key has to be text, and this one is {what}", hint)

    # ── refusing ─────────────────────────────────────────────────────────────────────────────
    def _count(self, size: int, span: Span) -> None:
        self._values += size
        if self._values > MAX_VALUES:
            self._stop(
                "too-many-values", span, f"the file has more than {MAX_VALUES:,} keys and values", _ROWS
            )

    def _refuse_depth(self, height: int, span: Span) -> None:
        if len(self._open) + height > MAX_DEPTH:
            message = f"lists and maps stand {MAX_DEPTH} deep here"
            self._stop("too-deep", span, message, "is a bracket left open?")

    def _refuse_tag(self, event: Any, span: Span) -> None:
        if event.tag is not None:
            message = f"{scalars.shortened(_short_tag(event.tag))} is a tag, and there are none here"
            self._refuse("tag", span, message, "delete it; a text that begins with ! needs quotes")

    def _refuse(self, code: str, span: Span, message: str, hint: str) -> None:
        """A value that cannot be used; reading goes on."""
        self._unusable.append(self._path())
        self._report(code, span, message, hint)

    def _stop(self, code: str, span: Span, message: str, hint: str, related: Related | None = None) -> None:
        self._report(code, span, message, hint, related)
        raise _Stop

    def _give_up(self, span: Span) -> None:
        self.found += Document(self._file, self._lines).place([too_many(self._path())])
        self.found[-1] = replace(self.found[-1], span=span, snippet=_snippet(self._lines, span.line))
        raise _Stop

    def _report(self, code: str, span: Span, message: str, hint: str, related: Related | None = None) -> None:
        if len(self.found) == MOST_TOLD:
            self._give_up(span)
        self.found.append(
            Diagnostic(
                code=code,
                severity="error",
                message=message,
                file=str(self._file),
                hint=hint,
                span=span,
                snippet=_snippet(self._lines, span.line),
                path=dotted(self._path()),
                related=(related,) if related else (),
            )
        )

    def _report_syntax(self, error: Any) -> None:
        stop = self._mark_span(error.problem_mark or error.context_mark)
        begin = self._mark_span(error.context_mark) if error.context_mark else stop
        above = [line for line in self._lines[stop.line - 2 :: -1] if line.strip()[:1] not in ("", "#")]
        line = _line(self._lines, stop.line)
        complaint = syntax.explain(
            syntax.Place(
                error.problem or "",
                line,
                stop.column,
                above if stop.line > 1 else [],
                _line(self._lines, begin.line),
            )
        )
        if any(
            d.code == syntax.UNQUOTED_TEMPLATE.code and d.span and d.span.line == stop.line
            for d in self.found
        ):
            return  # what comes after the template stops the parser, and is the same mistake
        if complaint.where == "above":
            begin = stop = self._line_above(stop.line)
        place, other = (stop, begin) if complaint.where == "stop" else (begin, stop)
        related = None
        if other.line != place.line:
            words = "what is being read began here" if complaint.where == "stop" else "reading stopped here"
            related = Related(str(self._file), other, words)
        self._report(complaint.code, place, complaint.message, complaint.hint, related)

    def _line_above(self, line: int) -> Span:
        """What stands on the nearest line before it that holds more than a comment."""
        number = next(n for n in range(line - 1, 0, -1) if self._lines[n - 1].split("#")[0].strip())
        text = self._lines[number - 1]
        return Span(number, len(text) - len(text.lstrip()) + 1, number, len(text.rstrip()) + 1)

    def _path(self) -> Path:
        """Of the value being read."""
        parts: list[str | int] = []
        for frame in self._open:
            if isinstance(frame.value, list):
                parts.append(len(frame.value))
            elif frame.key is not None:
                parts.append(frame.key)
        return tuple(parts)

    # ── places ───────────────────────────────────────────────────────────────────────────────
    def _mark_span(self, mark: Any) -> Span:
        """One character at the mark; the end of the text counts as the end of its last line."""
        line, column = mark.line + 1, mark.column + 1
        last = len(self._lines)
        while last > 1 and not self._lines[last - 1].strip():
            last -= 1
        if line > last:
            line, column = last, len(self._lines[last - 1]) + 1
        return Span(line, column, line, column + 1)

    def _scalar_span(self, event: Any) -> Span:
        """A block scalar (| or >) is told to end where the next token begins: here it ends with its last line."""
        span = _span(event)
        if event.style not in ("|", ">"):
            return span
        end = span.end_line - (span.end_column == 1)
        while end > span.line and not _line(self._lines, end).strip():
            end -= 1
        return Span(span.line, span.column, end, len(_line(self._lines, end)) + 1)


_NO_TEXT = ("the text holds U+0000 or half a character", "no program can be given it")
_ROWS = "rows belong into a CSV file, read by `table:`"


def _span(event: Any) -> Span:
    start, end = event.start_mark, event.end_mark
    return Span(start.line + 1, start.column + 1, end.line + 1, end.column + 1)


def _whole(frame: _Open, event: Any) -> Span:
    """Of a map or list from its start to its end; without brackets it ends with its last value."""
    start, end = frame.node.span, _span(event)
    if not frame.in_flow and frame.node.children:
        end = next(reversed(frame.node.children.values())).span
    elif not frame.in_flow:
        end = start
    return Span(start.line, start.column, end.end_line, end.end_column)


def _kind(word: str) -> str:
    if scalars.boolean(word) is not None or word in ("null", "Null", "NULL", "~"):
        return word
    return f"the number {scalars.shortened(word)}" if word else "empty"


def _short_tag(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!", 1)
