"""What a plain word means: YAML 1.2's core schema and plain exponents. Used by YAML text and CSV cells alike.

Numbers with leading zeros are text, so that the id of a pipe survives; so are times, dates, yes and no.
"""

from __future__ import annotations

import math
import re
from typing import Final

MAX_DIGITS: Final = 300
"""Of a whole number. A longer one has no float beside it."""

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEAN = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_OCTAL_OR_HEX = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


class Unusable(ValueError):
    """The word is a number that cannot be computed with. Says which and why; `hint` is the way out."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


def resolve(word: str) -> str | int | float | bool | None:
    """What `word`, standing without quotes, means. Raises Unusable for infinities and endless numbers."""
    if word in _NULL:
        return None
    if (truth := boolean(word)) is not None:
        return truth
    found = number(word)
    return word if found is None else found


def boolean(word: str) -> bool | None:
    """None when `word` is neither true nor false."""
    return _BOOLEAN.get(word)


def number(word: str) -> int | float | None:
    """None when `word` is not a number. Raises Unusable as `resolve` does."""
    if _DECIMAL.fullmatch(word) or _OCTAL_OR_HEX.fullmatch(word):
        return _integer(word)
    if _FLOAT.fullmatch(word):
        return _float(word)
    if _NOT_FINITE.fullmatch(word):
        raise Unusable(f"{word} is not a finite number", "give a number, or quote it to have it as text")
    return None


def _integer(word: str) -> int:
    if len(word) <= MAX_DIGITS:
        value = int(word, 0) if word[:2] in ("0o", "0x") else int(word)
        if abs(value) < 10**MAX_DIGITS:
            return value
    raise Unusable(
        f"{shortened(word)} is too long for a number",
        f"numbers have at most {MAX_DIGITS} digits; quote it to have it as text",
    )


def _float(word: str) -> float:
    value = float(word)
    if math.isinf(value):
        raise Unusable(f"{shortened(word)} is beyond the largest float", "numbers reach to about 1.8e308")
    return value


def shortened(text: str, limit: int = 40) -> str:
    """For sentences: the beginning of a text that is too long to be repeated."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


_UNSEEN: Final = re.compile("[\u00a0\u00ad\u2000-\u200f\u2028-\u202f\u205f\u2060\u3000\ufeff]")


def invisible(text: str) -> str:
    """The first character of `text` that looks like a blank or like nothing, and is neither; empty without one."""
    found = _UNSEEN.search(text)
    return f"the character U+{ord(found[0]):04X}" if found else ""
