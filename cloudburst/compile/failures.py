"""What Jinja and Python say of an expression that cannot be read or that fails, in words about values. Tables:
what they say -> what we say, and a way out. Nothing is computed here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple


class Words(NamedTuple):
    """`reason` ends a sentence; `hint` may be empty."""

    reason: str
    hint: str = ""


# ── an expression that cannot be read ────────────────────────────────────────────────────────
_END: Final = r"'end of (?:print statement|template)'"
_UNREAD: Sequence[tuple[re.Pattern[str], Words]] = tuple(
    (re.compile(says), Words(reason, hint))
    for says, reason, hint in (
        (r"unexpected char \"'\".*|unexpected char '\"'.*", "a quote is left open", ""),
        (r"unexpected char ('.+'|\".+\") at \d+", r"\1 means nothing here", ""),
        (rf"unexpected '\}}', expected '(.)'|expected token '(.)', got {_END}", "a bracket is left open", ""),
        (rf"unexpected {_END}|expected token '\w+', got {_END}", "it ends where something is missing", ""),
        (rf"expected token {_END}, got ('.+')", r"an operator is missing before \1", ""),
        (r"Expected an expression, got .*", "there is nothing between {{ and }}", ""),
        (r"expected token ('.+'), got ('.+')", r"\2 stands where \1 should", ""),
        (r"unexpected ('.+'), expected ('.+')", r"\1 stands where \2 should", ""),
        (r"unexpected ('.+')", r"\1 cannot stand there", ""),
        (r"No filter named '(.+)'\.?", r"there is no function `\1`", ""),
        (r"No test named '(.+)'\.?", r"there is no test `is \1`", ""),
    )
)

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_MEANT: Sequence[tuple[re.Pattern[str], str]] = tuple(
    (re.compile(pattern), hint)
    for pattern, hint in (
        (r"[“”„‘’‚]", "curly quotes are letters here: write straight ones, ' or \""),
        (r"[–—−]", "this dash is a letter here: minus is -"),
        (r"[×·]", "times is written `*`"),
        (r"÷", "divided by is written `/`"),
        (r"[≤⩽]|=<", "write `<=`"),
        (r"[≥⩾]|=>", "write `>=`"),
        (r"≠|<>", "write `!=`"),
        (r"\{\{|\}\}", "an expression stands without {{ }} here"),
        (r"&|\bAND\b", "write `and`"),
        (r"\|\||\bOR\b", "write `or`"),
        (r"\^", "a power is written `**`"),
        (r"!(?!=)|\bNOT\b", "write `not`"),
        (r"\?", "write `a if condition else b`"),
        (r"===", "to compare, write `==`"),
        (r"(?<![=!<>])=(?!=)", "to compare, write `==`"),
        (
            r"\b(import|lambda|def|return)\b",
            "an expression computes one value: programs belong into the worker",
        ),
    )
)
_MODEL: Final = "an expression reads like `demand * 2` or `demand > 1 and pump == 'P1'`"
_BRACES: Final = "in a text an expression stands between {{ and }}, both with two braces"


def unread(complaint: str, source: str, *, in_text: bool) -> Words:
    """Of the parser's `complaint`. `in_text`: the source is a text with {{ }} in it, not a bare expression."""
    reason, hint = _first(_UNREAD, complaint.rstrip("."))
    bare = _QUOTED.sub("''", source)
    if in_text:
        bare = re.sub(r"\{\{|\}\}", " ", bare)
        hint = hint or (_BRACES if bare.count("{") + bare.count("}") else "")
    return Words(reason, hint or next((way_out for sign, way_out in _MEANT if sign.search(bare)), _MODEL))


# ── an expression that fails on a row ────────────────────────────────────────────────────────
_KINDS: Final = {
    "str": "text",
    "int": "a number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "tuple": "a list",
    "dict": "a map",
    "NoneType": "null",
}
_AS_NUMBER: Final = "`float(x)` makes a number of a text; is the value quoted in the file?"
_GLUE: Final = "`~` puts texts together, and `float(x)` makes a number of a text"
_NO_ZERO: Final = "ask first: `a / b if b != 0 else …`"
_FAILED: Sequence[tuple[re.Pattern[str], Words]] = tuple(
    (re.compile(says), Words(reason, hint))
    for says, reason, hint in (
        (r"can only concatenate str \(not \"(\w+)\"\) to str", r"`+` stands between text and {\1}", _GLUE),
        (r"can only concatenate list \(not \"(\w+)\"\) to list", r"`+` stands between a list and {\1}", ""),
        (
            r"unsupported operand type\(s\) for (\S+?)(?: or pow\(\))?: '(\w+)' and '(\w+)'",
            r"`\1` stands between {\2} and {\3}",
            _AS_NUMBER,
        ),
        (r"'(\S+)' not supported between instances of '(\w+)' and '(\w+)'", r"`\1` stands between {\2} and {\3}", _AS_NUMBER),
        (r"bad operand type for (?:unary (\S+)|(abs)\(\)): '(\w+)'", r"`\1\2` of {\3}", _AS_NUMBER),
        (r"type (\w+) doesn't define __round__ method", r"`round` of {\1}", _AS_NUMBER),
        (r"must be real number, not (\w+)", r"it needs a number, and gets {\1}", _AS_NUMBER),
        (r".*argument must be a string.* not '(\w+)'", r"it needs a text or a number, and gets {\1}", ""),
        (r"argument of type '(\w+)' is not (?:iterable|a container or iterable)", r"`in` looks into {\1}", ""),
        (r"'(\w+)' object is not iterable", r"it needs several values, and gets {\1}", ""),
        (r"'(\w+)' object is not subscriptable", r"{\1} has no parts", ""),
        (r"'in <string>' requires string as left operand, not (\w+)", r"`in` looks for {\1} in a text", ""),
        (r"could not convert string to float: (.*)", r"\1 is no number", ""),
        (r"invalid literal for int\(\) with base 10: (.*)", r"\1 is no whole number", "`float` takes a decimal point"),
        (r"(?:float |integer |complex )?(?:division|modulo|floor division)(?: or modulo)? by zero", "division by zero", _NO_ZERO),
        (r"(?:math domain error|expected a (?:positive|nonnegative) .*)", "there is no such value: the root of a number below 0, or the logarithm of one that is not above it", ""),
        (r"math range error|.*Result too large.*|int too large to convert to float|cannot convert float infinity to integer", "the result is too large for a number", ""),
        (r".*(?:expected|takes|missing|argument).*(?:argument|given|empty).*", "a function gets too few or too many values", ""),
    )
)  # fmt: skip


def failed(complaint: str) -> Words:
    """Of what computing raised; a sentence of our own is handed on as it is."""
    reason, hint = _first(_FAILED, complaint)
    return Words(re.sub(r"\{(\w+)\}", lambda kind: _KINDS.get(kind[1], kind[1]), reason), hint)


def _first(table: Sequence[tuple[re.Pattern[str], Words]], complaint: str) -> Words:
    for pattern, (reason, hint) in table:
        if found := pattern.fullmatch(complaint):
            return Words(_filled(reason, found), hint)
    return Words(complaint)


def _filled(reason: str, found: re.Match[str]) -> str:
    return re.sub(r"\\(\d)", lambda number: found[int(number[1])] or "", reason)
