"""JSON values as people write them in YAML: block and flow, three kinds of quotes, folded texts, comments, anchors.

What is written means exactly the value it was given; only its looks are a matter of chance.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from random import Random
from typing import Any

from cloudburst.spec import scalars

_PLAIN = re.compile(r"[^\W\d_](?:[\w./+()水é-]| (?=[\w(]))*")
_LINE = re.compile(r"[ -~\xa1-\u2027\u2030-\ud7ff\U00010000-\U0001ffff]*")
_WORDS = re.compile(r"[!-~]+(?: [!-~]+)*")
_COMMENTS = ("", "", "", "", "", " # why", " # 水: {a, [b", "   #'\"")
_NULLS = ("null", "~", "Null")


def written(value: Mapping[str, Any], chance: Random, *, bare: bool = False) -> str:
    """A document. `bare`: without anchors, comments and foreign line ends."""
    text = _Writer(chance, bare).document(value)
    if bare:
        return text
    ends = chance.choice(["\n", "\n", "\n", "\r\n"])
    mark = chance.choice(["", "", "", "\ufeff"])
    return mark + chance.choice(["", "---\n", "# first\n"]) + text.replace("\n", ends)


class _Writer:
    def __init__(self, chance: Random, bare: bool) -> None:
        self._chance, self._bare = chance, bare
        self._anchors: dict[str, str] = {}

    def document(self, value: Mapping[str, Any]) -> str:
        return self._map(value, 0) + "\n"

    # ── blocks ───────────────────────────────────────────────────────────────────────────────
    def _map(self, value: Mapping[str, Any], indent: int) -> str:
        """Lines from the first key on; the first is not indented: its place is the caller's."""
        lines = [self._key(key, indent) + ":" + self._after(item, indent) for key, item in value.items()]
        return self._joined(lines, indent)

    def _list(self, value: list[Any], indent: int) -> str:
        return self._joined(["-" + self._after(item, indent, in_list=True) for item in value], indent)

    def _joined(self, entries: list[str], indent: int) -> str:
        between = "" if self._bare else self._chance.choice(["", "", "", "\n", "\n# between"])
        return (between + "\n" + " " * indent).join(entries)

    def _after(self, value: Any, indent: int, *, in_list: bool = False) -> str:
        """What follows the colon or the dash, with what goes before it."""
        if alias := self._alias(value):
            return " " + alias
        anchor = self._anchor(value)
        if isinstance(value, dict | list) and value and self._chance.random() < 0.6:
            return self._nested(value, indent, anchor, in_list)
        if value is None and not anchor and self._chance.random() < 0.3:
            return self._comment()
        if isinstance(value, str) and (block := self._block_text(value, indent)):
            return f" {anchor}{block}"
        return f" {anchor}{self._flow(value, indent + 1)}{self._comment()}"

    def _nested(self, value: Any, indent: int, anchor: str, in_list: bool) -> str:
        write = self._map if isinstance(value, dict) else self._list
        if in_list and not anchor and self._chance.random() < 0.7:
            return " " + write(value, indent + 2)
        least = 0 if isinstance(value, list) and not in_list else 1
        deeper = indent + max(least, self._chance.choice([2, 2, 2, 4, 7, least]))
        head = f" {anchor.rstrip()}" if anchor else ""
        return f"{head}{self._comment()}\n{' ' * deeper}{write(value, deeper)}"

    def _block_text(self, text: str, indent: int) -> str:
        """`|` and `>`, where they can hold the text as it is."""
        lines, pad = (
            text.removesuffix("\n").split("\n"),
            "\n" + " " * (indent + self._chance.choice([1, 2, 5])),
        )
        if (
            self._chance.random() > 0.3
            or not lines[0].strip()
            or lines[0][:1] == " "
            or not lines[-1].strip()
        ):
            return ""
        ending = "" if text.endswith("\n") else "-"
        if len(lines) == 1 and _WORDS.fullmatch(lines[0]) and self._chance.random() < 0.5:
            return f">{ending}{pad}" + lines[0].replace(" ", pad)
        if not all(_LINE.fullmatch(line) for line in lines):
            return ""
        return f"|{ending}" + "".join(pad + line if line else "\n" for line in lines)

    def _comment(self) -> str:
        return "" if self._bare else self._chance.choice(_COMMENTS)

    # ── flow ─────────────────────────────────────────────────────────────────────────────────
    def _flow(self, value: Any, indent: int) -> str:
        """On one line, or on several that are all indented."""
        if isinstance(value, dict):
            inner = [
                f"{self._key(key, indent, True)}: {self._flow(item, indent)}" for key, item in value.items()
            ]
            return "{" + self._parted(inner, indent) + "}"
        if isinstance(value, list):
            return "[" + self._parted([self._flow(item, indent) for item in value], indent) + "]"
        return self._scalar(value, in_flow=True)

    def _parted(self, entries: list[str], indent: int) -> str:
        comma = self._chance.choice([", ", ", ", " ,", ",  ", f",\n{' ' * (indent + 2)}"])
        last = self._chance.choice(["", "", " ", ","]) if entries else ""
        return comma.join(entries) + last

    # ── scalars ──────────────────────────────────────────────────────────────────────────────
    def _key(self, key: str, indent: int, in_flow: bool = False) -> str:
        del indent
        return self._text(key, in_flow=in_flow) + self._chance.choice(["", "", "", " "])

    def _scalar(self, value: Any, *, in_flow: bool) -> str:
        if isinstance(value, str):
            return self._text(value, in_flow=in_flow)
        if value is None:
            return self._chance.choice(_NULLS)
        word = json.dumps(value)
        return self._chance.choice([word, word.title()]) if isinstance(value, bool) else word

    def _text(self, text: str, *, in_flow: bool) -> str:
        ways = [_double(text, self._chance)]
        if _LINE.fullmatch(text):
            ways.append("'" + text.replace("'", "''") + "'")
        if _is_plain(text):
            ways += [text, text, text]
        return self._chance.choice(ways)

    # ── aliases ──────────────────────────────────────────────────────────────────────────────
    def _anchor(self, value: Any) -> str:
        if self._bare or value is None or self._chance.random() > 0.1:
            return ""
        name = f"a{len(self._anchors)}"
        if isinstance(value, dict | list):
            return f"&{name}_ "  # its inside may hold anchors of its own: it is never repeated
        self._anchors.setdefault(_form(value), name)
        return f"&{self._anchors[_form(value)]} "

    def _alias(self, value: Any) -> str:
        name = self._anchors.get(_form(value))
        return f"*{name}" if name and self._chance.random() < 0.5 else ""


def _form(value: Any) -> str:
    return json.dumps(value)


def _is_plain(text: str) -> bool:
    try:
        return _PLAIN.fullmatch(text) is not None and scalars.resolve(text) == text
    except scalars.Unusable:
        return False


def _double(text: str, chance: Random) -> str:
    """In double quotes; what is not ASCII is escaped, or as it is where YAML leaves it alone."""
    readable = _LINE.fullmatch(text) is not None and chance.random() < 0.7
    return json.dumps(text, ensure_ascii=not readable) if readable else _escaped(text)


def _escaped(text: str) -> str:
    """YAML has no pairs of surrogates: beyond 16 bits it is \\U and eight digits."""
    shown = [json.dumps(sign)[1:-1] if ord(sign) < 0x10000 else f"\\U{ord(sign):08x}" for sign in text]
    return '"' + "".join(shown).replace("\x7f", "\\x7f") + '"'
