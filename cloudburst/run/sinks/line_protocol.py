"""InfluxDB's line protocol: how names, tags, texts and numbers are written so that what is read is what was meant.

    measurement,tag=value,… field=1.5,field="text",… 1527465600000000000

The protocol has no way to write some texts as names or tags. What becomes of them is decided in
`storable`, and nowhere else. Nothing is sent here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

EARLIEST, LATEST = -(2**63) + 2, 2**63 - 2
"""Nanoseconds since 1970 that InfluxDB can store."""

LONGEST_TAG = 1000
"""Characters of a tag's value; a measurement with all its tags may have 65,535 bytes."""

_IN_NAMES = str.maketrans({",": "\\,", "=": "\\=", " ": "\\ "})
_IN_MEASUREMENTS = str.maketrans({",": "\\,", " ": "\\ "})
_IN_TEXTS = str.maketrans({'"': '\\"', "\\": "\\\\"})
_ESCAPING = re.compile(r'\\+(?=[,= "]|\Z)')
_UNWRITABLE = str.maketrans({"\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"})


def storable(text: str) -> str:
    """`text` as it can stand in a measurement, a tag or the name of a field.

    Line ends, tabs and NUL become two characters such as `\\n`, half a surrogate pair its escape. A backslash
    that InfluxDB would take for an escape of what follows, and there is no way to say otherwise, becomes `/`.
    """
    return _ESCAPING.sub(lambda found: "/" * len(found[0]), utf8(text).translate(_UNWRITABLE))


def utf8(text: str) -> str:
    """Half a surrogate pair, which UTF-8 cannot write, as its escape: `\\ud800`."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def cut(value: str) -> str:
    """A tag's value, not longer than it may be."""
    return value if len(value) <= LONGEST_TAG else value[: LONGEST_TAG - 1] + "…"


def series_key(measurement: str, tags: Mapping[str, str]) -> str:
    """What a line begins with. Names and values are storable; a tag without a value is left out."""
    written = (f",{name(key)}={name(value)}" for key, value in tags.items() if value)
    return measurement.translate(_IN_MEASUREMENTS) + "".join(written)


def name(text: str) -> str:
    """A storable name of a tag or a field, or a tag's value."""
    return text.translate(_IN_NAMES)


def text_value(text: str) -> str:
    """A text as the value of a field."""
    return f'"{utf8(text).translate(_IN_TEXTS)}"'
