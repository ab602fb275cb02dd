"""HTML that cannot be broken by what stands in it: text is escaped because it is text, not because
somebody remembered."""

from __future__ import annotations

from html import escape

VOID = frozenset({"br", "col", "hr", "input", "link", "meta", "rect"})
"""Elements without an end here; `rect` is SVG's, which HTML lets close itself."""


class Html(str):
    """Text that is HTML already. Made by `tag`, `join` and `raw` only."""

    __slots__ = ()


Content = str | int | None
"""An `Html` stands as it is, any other text is escaped, None is nothing."""


def raw(text: str) -> Html:
    """For our own files; never for anything that came from outside."""
    return Html(text)


def join(*parts: Content) -> Html:
    return Html("".join(map(_content, parts)))


def tag(name: str, /, *content: Content, **attributes: str | int | float | bool | None) -> Html:
    """`tag("td", text, class_="num")`. `class_` and `for_` lose the line, `aria_label` gets a hyphen;
    True is an attribute without value, False and None are none."""
    said = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID:
        return Html(f"<{name}{said}{'/' if name == 'rect' else ''}>")
    return Html(f"<{name}{said}>{join(*content)}</{name}>")


def _content(part: Content) -> str:
    if part is None:
        return ""
    return part if isinstance(part, Html) else escape(str(part))


def _attribute(key: str, value: str | int | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
