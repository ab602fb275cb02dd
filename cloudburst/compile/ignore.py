"""`.cloudburstignore`: which files of a directory stay at home. The rules are those of .gitignore.

Kept of them: comments, `!` to take back, a trailing `/` for directories only, a leading or inner
`/` to mean "from the top", `*`, `?`, `[…]` inside one name and `**` across names. As in git, the
last pattern that matches decides, and nothing below an ignored directory can be taken back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

FILE_NAME = ".cloudburstignore"

ALWAYS = (".cloudburst/", ".git", FILE_NAME)
"""Never packed, whatever the user's file says: our own records, and what decides what is packed."""

USUAL = (
    "__pycache__/",
    "*.py[cod]",
    ".venv/",
    "venv/",
    ".DS_Store",
    ".ipynb_checkpoints/",
    ".pytest_cache/",
    ".mypy_cache/",
    ".ruff_cache/",
    ".hypothesis/",
    "*.egg-info/",
    "*.cbplan",
    "*.cbstudy",
    "node_modules/",
    ".idea/",
    ".vscode/",
    "*.sw[op]",
    "*~",
    ".#*",
    "\\#*#",
)
"""Ignored unless the user's file takes them back with `!`."""


@dataclass(frozen=True)
class Rule:
    """One line: what it matches, whether it takes back, whether it means directories only."""

    pattern: re.Pattern[str]
    take_back: bool
    directories_only: bool

    def matches(self, path: str, is_directory: bool) -> bool:
        if self.directories_only and not is_directory:
            return False
        return self.pattern.fullmatch(path) is not None


@dataclass(frozen=True)
class Ignore:
    """All rules, in order. Asked about paths from the top down, a parent before what is in it."""

    rules: tuple[Rule, ...]

    def ignores(self, path: str, *, is_directory: bool) -> bool:
        """`path` with forward slashes, relative to the directory that is packed."""
        for rule in reversed(self.rules):
            if rule.matches(path, is_directory):
                return not rule.take_back
        return False


def read_ignore(text: str) -> Ignore:
    """The rules of a `.cloudburstignore` between the usual ones and those no text can lift."""
    return Ignore(_rules((*USUAL, *text.splitlines(), *ALWAYS)))


def _rules(lines: Iterable[str]) -> tuple[Rule, ...]:
    return tuple(rule for line in lines if (rule := _rule(line)) is not None)


def _rule(line: str) -> Rule | None:
    line = _without_trailing_spaces(line)
    if line.startswith("#"):
        return None
    take_back = line.startswith("!")
    pattern = line[1:] if take_back else line
    directories_only = pattern.endswith("/")
    pattern = pattern.removesuffix("/")
    from_the_top = "/" in pattern
    pattern = pattern.removeprefix("/")
    expression = _expression(pattern) if pattern else None
    if expression is None:
        return None
    prefix = "" if from_the_top else "(?:.*/)?"
    return Rule(re.compile(prefix + expression, re.DOTALL), take_back, directories_only)


def _without_trailing_spaces(line: str) -> str:
    stripped = line.rstrip(" ")
    escaped = stripped.endswith("\\") and len(stripped) < len(line)
    return stripped + " " if escaped else stripped


def _expression(pattern: str) -> str | None:
    """The pattern as a regular expression; None for one that can match nothing, as in git."""
    parts: list[str] = []
    i = 0
    while i < len(pattern):
        text, i = _next_part(pattern, i)
        if text is None:
            return None
        parts.append(text)
    return "".join(parts)


def _next_part(pattern: str, i: int) -> tuple[str | None, int]:
    if _is_double_star(pattern, i):
        return _double_star(pattern, i)
    match pattern[i]:
        case "*":
            while i < len(pattern) and pattern[i] == "*":
                i += 1
            return "[^/]*", i
        case "?":
            return "[^/]", i + 1
        case "[":
            return _character_class(pattern, i)
        case "\\":
            return (re.escape(pattern[i + 1]), i + 2) if i + 1 < len(pattern) else (None, i + 1)
        case character:
            return re.escape(character), i + 1


def _is_double_star(pattern: str, i: int) -> bool:
    """`**` is special only as a whole name; elsewhere it means what `*` means."""
    starts = i == 0 or pattern[i - 1] == "/"
    return starts and pattern.startswith("**", i) and (i + 2 == len(pattern) or pattern[i + 2] == "/")


def _double_star(pattern: str, i: int) -> tuple[str, int]:
    if i + 2 == len(pattern):
        return ".+" if i else ".*", i + 2
    return "(?:.*/)?", i + 3


def _character_class(pattern: str, i: int) -> tuple[str | None, int]:
    negated = pattern[i + 1 : i + 2] in ("!", "^")
    start = i + 2 if negated else i + 1
    end = pattern.find("]", start + 1)
    if end < 0:
        return None, len(pattern)
    members = pattern[start:end].replace("\\", "\\\\").replace("[", "\\[").replace("^", "\\^")
    try:
        re.compile(text := f"[{'^/' if negated else ''}{members}]")
    except re.error:  # a range that runs backwards, as in [z-a]
        return None, end + 1
    return f"(?!/){text}", end + 1
