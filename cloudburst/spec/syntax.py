"""The YAML parser's complaints, in words about the user's text. A table: what it says -> what we say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Complaint:
    """`where`: at the place the parser stopped, or where what it was reading began."""

    says: str
    message: str
    hint: str
    where: Literal["stop", "begin"] = "stop"
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


def explain(says: str, line: str, column: int) -> Complaint:
    """What the parser's `says` means, when it stopped at `column` (from 1) of `line`."""
    character = line[column - 1 : column]
    if "cannot start any token" in says:
        return _TAB if character == "\t" else _start(character)
    if "{{" in line and '"' not in line and "'" not in line:
        return UNQUOTED_TEMPLATE
    if character == ":" and says.startswith("did not find expected key"):
        return Complaint(says, 'a key is missing before the ":"', 'write "key: value"')
    for complaint in _COMPLAINTS:
        if complaint.says in says:
            return complaint
    return Complaint(says, f"YAML cannot be read on from here: {says}", _QUOTE_IT)


def _start(character: str) -> Complaint:
    return Complaint("", f'a text cannot begin with "{character}"', _QUOTE_IT)
