"""The YAML parser's complaints, in words about the user's text. A table: what it says -> what we say; before it
is asked, slips of the hand are looked for, which the text around the place shows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from .scalars import invisible


@dataclass(frozen=True)
class Complaint:
    """`where`: at the place the parser stopped, where what it was reading began, or on the line above."""

    says: str
    message: str
    hint: str
    where: Literal["stop", "begin", "above"] = "stop"
    code: str = "yaml-syntax"


_QUOTE_IT = 'put the text into quotes: "…"'
UNQUOTED_TEMPLATE = Complaint(
    "",
    "{{ … }} stands here without quotes",
    'YAML takes it for a map; write "{{ name }}"',
    code="unquoted-template",
)
_TAB = Complaint("", "a tab stands where YAML wants spaces", "use spaces for indentation", code="tab")

# Both of PyYAML's parsers are heard: libyaml's and the one in Python differ by a few words.
_COMPLAINTS = (
    Complaint("tab character", _TAB.message, _TAB.hint, code="tab"),
    Complaint(
        "mapping values are not allowed",
        'a ": " stands in what is already a value',
        'a text with ": " in it needs quotes; or does the line above lack its ": "?',
    ),
    Complaint(
        "sequence entries are not allowed",
        '"- " begins a list, and none can begin here',
        "a list begins on its own line, or is written [a, b]",
    ),
    Complaint(
        "unexpected end of stream",
        "the quote that opens here is never closed",
        "close it, or quote with the other kind",
        "begin",
    ),
    Complaint(
        "unknown escape character",
        "a backslash in double quotes begins an escape, and this is none",
        "in single quotes a backslash is a backslash: '\\d'",
    ),
    Complaint(
        "escape", "this escape in double quotes is none", "in single quotes a backslash is a backslash"
    ),
    Complaint(
        "expected alphabetic or numeric",
        "a text cannot begin with * or &, they mark aliases",
        _QUOTE_IT,
        "begin",
    ),
    Complaint(
        "expected ',' or ']'",
        '"[" opens a list that is not closed',
        'close it with "]", and part its values by ","',
        "begin",
    ),
    Complaint(
        "expected ',' or '}'",
        '"{" opens a map that is not closed',
        'close it with "}", and part its keys by ","',
        "begin",
    ),
    Complaint("expected node content", "a value is missing here", 'is a bracket open, or a "," too many?'),
    Complaint(
        "expected the node content", "a value is missing here", 'is a bracket open, or a "," too many?'
    ),
    Complaint("could not find expected ':'", 'a key without ": "', 'write "key: value"', "begin"),
    Complaint(
        "expected '-' indicator",
        'the list ends here without a "- "',
        "indent this line as its neighbours, or begin it with a dash",
    ),
    Complaint(
        "expected key",
        "this line does not continue the map above it",
        "indent keys of one map alike; quote texts with : { } [ ] ' or \"",
    ),
    Complaint(
        "expected <block end>",
        "this line does not continue what stands above it",
        "indent keys of one map alike; quote texts with : { } [ ] ' or \"",
    ),
    Complaint("incompatible YAML document", "the file asks for another YAML", "delete the %YAML line"),
    Complaint("directive", "a line that begins with % is a directive, and this is none", _QUOTE_IT),
    Complaint(
        "expected <document start>",
        "the document has ended above this line",
        "a study is one document of keys and values",
    ),
    Complaint(
        "expected '<document start>'",
        "the document has ended above this line",
        "a study is one document of keys and values",
    ),
    Complaint("duplicate anchor", "this anchor is used twice", "give it another name"),
)


class Place(NamedTuple):
    """Where the parser stopped, with the text around it."""

    says: str
    line: str
    column: int
    """From 1."""
    above: Sequence[str]
    """The lines before it that hold something, the nearest first."""
    begin: str
    """The line on which what was being read began."""

    @property
    def character(self) -> str:
        return self.line[self.column - 1 : self.column]

    @property
    def before(self) -> str:
        return self.line[: self.column - 1].rstrip()


def explain(place: Place) -> Complaint:
    """What the parser's complaint means."""
    for slip in _SLIPS:
        if found := slip(place):
            return found
    for complaint in _COMPLAINTS:
        if complaint.says in place.says:
            return complaint
    return Complaint(place.says, f"YAML cannot be read on from here: {place.says}", _QUOTE_IT)


# ── slips of the hand ────────────────────────────────────────────────────────────────────────
_CURLY = re.compile("[“”„‟‘’‚]")
_NO_CURLY = "curly quotes are letters to YAML: write straight ones, \" or '"
_TIGHT = re.compile(r"\s*(?:- +)*([\w.-]+):([^\s:/\\].*)")
"""A key whose colon no blank follows."""
_BARE = re.compile(r"\s*(?:- +)*[\w.-]+\s*(?:#.*)?")
_BRACKETS = {"]": "[", "}": "{"}


def unquoted_template(line: str) -> Complaint:
    """Of a line with {{ }} where YAML reads a map."""
    if _CURLY.search(line):
        return Complaint("", UNQUOTED_TEMPLATE.message, _NO_CURLY, code=UNQUOTED_TEMPLATE.code)
    return UNQUOTED_TEMPLATE


def _unseen(place: Place) -> Complaint | None:
    """A blank that is none: before a key, or after its colon."""
    lines: list[tuple[str, Literal["stop", "above"]]] = [
        (place.line, "stop"),
        *((line, "above") for line in place.above[:1]),
    ]
    for line, where in lines:
        found = re.match(r"\s*", line)
        after = re.search(r":(\W)", line)
        for part in (found[0] if found else "", after[1] if after else ""):
            if unseen := invisible(part):
                return Complaint(
                    "",
                    f"{unseen} stands here, which looks like a blank and is none",
                    "type the blanks of this line anew",
                    where,
                )
    return None


def _no_start(place: Place) -> Complaint | None:
    if "cannot start any token" not in place.says:
        return None
    if place.character == "\t":
        return _TAB
    return Complaint("", f'a text cannot begin with "{place.character}"', _QUOTE_IT)


def _template(place: Place) -> Complaint | None:
    is_bare = "{{" in place.line and '"' not in place.line and "'" not in place.line
    return unquoted_template(place.line) if is_bare else None


def _variable(place: Place) -> Complaint | None:
    """`{a: ${x}}`: braces that are text, within braces or brackets."""
    if not (_is_in_flow(place) and re.search(r"\$\{", place.line[: place.column])):
        return None
    return Complaint(
        "", '"${" opens a map here', 'a parameter is "{{ name }}", in quotes; so is any text with braces'
    )


def _no_key(place: Place) -> Complaint | None:
    if place.character == ":" and place.says.startswith("did not find expected key"):
        return Complaint("", 'a key is missing before the ":"', 'write "key: value"')
    return None


def _tight_colon(place: Place) -> Complaint | None:
    """`key:value` is one word to YAML."""
    if "could not find expected ':'" in place.says and (found := _TIGHT.fullmatch(place.begin)):
        return _blank_missing(found, "begin")
    is_first_colon = _BARE.fullmatch(place.before) is not None
    if "mapping values are not allowed" in place.says and is_first_colon and place.above:
        if found := _TIGHT.fullmatch(place.above[0]):
            return _blank_missing(found, "above")
        if _BARE.fullmatch(place.above[0]):
            return Complaint(
                "", 'this line has no ": "', 'write "key: value", or a key and ":" alone', "above"
            )
    return None


def _blank_missing(found: re.Match[str], where: Literal["begin", "above"]) -> Complaint:
    message = 'a blank is missing after the ":"'
    return Complaint("", message, f'write "{found[1]}: {found[2].strip()[:40]}"', where)


def _wrong_bracket(place: Place) -> Complaint | None:
    if place.character not in _BRACKETS:
        return None
    if _is_in_flow(place):
        opened = "[" if "']'" in place.says else "{"
        closes = "]" if opened == "[" else "}"
        message = f'"{place.character}" stands here, and "{opened}" is still open'
        return Complaint("", message, f'close it first with "{closes}", or take the "{place.character}" out')
    if "expected key" in place.says or "expected <block end>" in place.says or "document start" in place.says:
        opens = _BRACKETS[place.character]
        return Complaint(
            "", f'"{place.character}" closes nothing that is open', f'take it out, or is a "{opens}" missing?'
        )
    return None


def _second_colon(place: Place) -> Complaint | None:
    if not (_is_in_flow(place) and place.character == ":" and place.begin == place.line):
        return None
    hint = 'part keys by ","; a text with ": " in it needs quotes'
    return Complaint(
        "", 'a second ": " stands in one value', _NO_CURLY if _CURLY.search(place.line) else hint
    )


def _quote_too_early(place: Place) -> Complaint | None:
    """`['it's']`: the quote is over before its text is."""
    if not (_is_in_flow(place) and place.before[-1:] in ("'", '"') and place.before):
        return None
    quote = place.before[-1]
    other = '"' if quote == "'" else "'"
    message = f"the text in {quote} ends before this, and more follows"
    return Complaint(
        "", message, f"is a {quote} missing or too many? A text with {quote} in it stands in {other}"
    )


def _odd_indent(place: Place) -> Complaint | None:
    """A line that begins where no list or map does that is still open."""
    is_block = "expected <block end>" in place.says or "expected key" in place.says
    if not is_block or place.before or not place.above:
        return None
    steps: list[int] = []
    for line in place.above:
        indent = len(line) - len(line.lstrip(" "))
        if not steps or indent < steps[-1]:
            steps.append(indent)
    here = place.column - 1
    if here in steps:
        return None
    shown = " or ".join(map(str, steps[:3]))
    message = f"this line does not continue what is above it: it is indented by {here}"
    return Complaint("", message, f"indent it by {shown}; keys of one map stand alike")


def _is_in_flow(place: Place) -> bool:
    return "expected ',' or" in place.says


_SLIPS: tuple[Callable[[Place], Complaint | None], ...] = (
    _no_start,
    _unseen,
    _template,
    _variable,
    _no_key,
    _tight_colon,
    _wrong_bracket,
    _second_colon,
    _quote_too_early,
    _odd_indent,
)
