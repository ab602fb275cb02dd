"""Rules of the schema that keep what editors say plain. No server is asked here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from cloudburst.spec.schema import the_schema

Node = dict[str, Any]

DATA = ("examples", "defaultSnippets", "enum", "const", "required")
"""What these hold is values, not schemas."""


def nodes(node: Any, place: str = "") -> Iterator[tuple[str, Node]]:
    """Every schema inside the schema, with the way to it."""
    if isinstance(node, list):
        for number, part in enumerate(node):
            yield from nodes(part, f"{place}/{number}")
    if isinstance(node, dict):
        yield place, node
        for name, part in node.items():
            if name in ("properties", "definitions", "patternProperties"):
                for key, inner in part.items():
                    yield from nodes(inner, f"{place}/{key}")
            elif name not in DATA:
                yield from nodes(part, f"{place}/{name}")


ALL = dict(nodes(the_schema()))


@pytest.mark.parametrize("place", [place for place, node in ALL.items() if "pattern" in node])
def test_what_has_to_have_a_form_says_which(place: str) -> None:
    """Else an editor shows the regular expression."""
    said = ALL[place].get("patternErrorMessage") or ALL[place].get("errorMessage", "")
    assert said.endswith("."), place


@pytest.mark.parametrize("place", [place for place, node in ALL.items() if "oneOf" in node])
def test_kinds_exclude_each_other_in_a_sentence(place: str) -> None:
    """Else an editor says "matches multiple schemas"."""
    branches = ALL[place]["oneOf"]
    kinds = [branch["required"][0] for branch in branches]
    for kind, branch in zip(kinds, branches, strict=True):
        (pattern,) = branch["patternProperties"]
        assert [other for other in kinds if re.search(pattern, other)] == [k for k in kinds if k != kind]
        assert branch["patternProperties"][pattern] is False
        assert branch["errorMessage"].endswith(".")


@pytest.mark.parametrize("place", [place for place, node in ALL.items() if "examples" in node])
def test_maps_are_shown_in_branches(place: str) -> None:
    """Else an editor offers "[object Object]" as a value."""
    inside_a_branch = place.rpartition("/")[2] in ("then", "else")
    maps = [example for example in ALL[place]["examples"] if isinstance(example, dict)]
    assert inside_a_branch or not maps, f"{place}: put it under if: {{type: object}}, then: {{examples: …}}"


def test_defaults_are_told_and_not_written() -> None:
    """Else an editor writes every default of a map into the file, with its first key."""
    assert [place for place, node in ALL.items() if "default" in node] == []
