"""Text stays text, whatever it holds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cloudburst.run.markup import Html, join, raw, tag


def test_elements_and_attributes() -> None:
    made = tag("td", "a & b", tag("small", 3), None, class_="number", aria_hidden="true", hidden=True, x=None)
    assert made == '<td class="number" aria-hidden="true" hidden>a &amp; b<small>3</small></td>'
    assert tag("meta", charset="utf-8") == '<meta charset="utf-8">'
    assert tag("rect", x=1.5) == '<rect x="1.5"/>'
    assert join("<", raw("<br>")) == "&lt;<br>"


@given(st.text())
def test_no_text_becomes_markup(text: str) -> None:
    made = tag("p", text, title=text)
    inside = made.removeprefix('<p title="').removesuffix("</p>")
    assert "<" not in inside
    assert inside.count('"') == 1
    assert isinstance(made, Html)
