"""docs/reference.md has every key of the schema, and is what `make reference` writes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cloudburst.spec.schema import examples, the_schema
from docs import reference


def told() -> Iterator[reference.Key]:
    """Everything that has a heading."""
    yield from reference.keys(the_schema())
    for name, schema in reference.forms():
        title = reference.form_title(name)
        yield reference.Key((title,), schema)
        yield from reference.keys(schema, (title,))


def test_the_page_is_current() -> None:
    assert reference.PAGE.read_text("utf-8") == reference.page(), "`make reference` writes it anew"


def test_everything_is_described_and_shown() -> None:
    untold = [key.title for key in told() if not reference.resolved(key.schema).get("description")]
    assert untold == []
    unshown = [key.title for key in told() if not examples(key.schema)]
    assert unshown == []


def test_every_heading_stands_once() -> None:
    headings = re.findall(r"^#+ `(.*)`$", reference.page(), re.MULTILINE)
    assert headings == [key.title for key in told()]
    anchors = [key.anchor for key in told()]
    assert sorted({*anchors}) == sorted(anchors)


def test_no_key_of_the_schema_is_left_out() -> None:
    """Whatever the way to it: a key is told where it stands, or in the form that stands there."""
    last = {key.place[-1] for key in told()}
    assert {*names(the_schema())} - last == set()


def names(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (name for name, part in node.get("properties", {}).items() if "description" in part)
        for key, part in node.items():
            if key in ("properties", "definitions"):
                for inner in part.values():
                    yield from names(inner)
            elif key not in ("examples", "defaultSnippets"):
                yield from names(part)
    elif isinstance(node, list):
        for part in node:
            yield from names(part)


def test_a_key_says_what_it_takes() -> None:
    page = reference.page()
    at = page.index("### `worker.timeout`")
    section = page[at : page.index("###", at + 3)]
    assert "- **Type:** duration" in section
    assert "- **Default:** no limit" in section
    assert "- **Example:** `timeout: 10m`" in section
    assert "- **Keys:** exactly one of `entrypoint`, `command`" in page
    assert "- **Required:** yes" in page[page.index("### `worker.directory`") :][:400]
