"""Templates: JSON whose texts may hold {{ }}, such as `job` and the arguments of a command.

A text that is exactly one {{ x }} keeps the type of x, and as a key's whole value it is left out
where x is absent. Keys are as written. The language between the braces is `expressions`'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..diagnostics import Path
from ..spec.ensemble import Value
from .expressions import FUNCTIONS, Expression, ExpressionError, Scope, as_text, text

_Render = Callable[[Scope], Any]


@dataclass(frozen=True)
class Spot:
    """One expression of a template and where it stands; `optional` ones may lack their name."""

    path: Path
    expression: Expression
    optional: bool


def texts(value: object, path: Path) -> Iterator[tuple[Path, str]]:
    """Every text of a JSON value that holds {{ }}, with its path."""
    return ((where, source) for where, source in _all_texts(value, path) if "{{" in source)


def plain_texts(value: object, path: Path) -> Iterator[tuple[Path, str]]:
    """Every other text."""
    return ((where, source) for where, source in _all_texts(value, path) if "{{" not in source)


def _all_texts(value: object, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _all_texts(inner, (*path, key))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _all_texts(inner, (*path, index))


class Template:
    """A compiled template. Raises `ExpressionError` when one of its texts cannot be read."""

    def __init__(self, value: object, path: Path = ()) -> None:
        self._spots = tuple(spots(value, path))
        self._render = _renderer(value)

    def __call__(self, scope: Scope) -> Any:
        """The value for one row; what holds no {{ }} is shared between rows."""
        return self._render(scope)

    def failing(self, scope: Scope) -> tuple[Path, ExpressionError] | None:
        """The first place that fails on this row: to be asked when calling did."""
        for spot in self._spots:
            if not (spot.optional and spot.expression.name not in scope):
                try:
                    spot.expression(scope)
                except ExpressionError as error:
                    return spot.path, error
        return None


def spots(value: object, path: Path, is_keys: bool = False) -> Iterator[Spot]:
    """Every expression of a template; `is_keys` when the value is a key's whole value."""
    if isinstance(value, str) and "{{" in value:
        for part in text(value):
            if isinstance(part, Expression):
                yield Spot(path, part, is_keys and _bare_name(value) is not None)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from spots(inner, (*path, key), True)
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from spots(inner, (*path, index), False)


def _bare_name(value: object) -> str | None:
    """x of a text that is exactly {{ x }}."""
    if not isinstance(value, str) or "{{" not in value:
        return None
    first, *more = text(value)
    return first.name if isinstance(first, Expression) and not more and first.name not in FUNCTIONS else None


def _renderer(value: object) -> _Render:
    if next(texts(value, ()), None) is None:
        return lambda _scope: value
    if isinstance(value, str):
        return _text_renderer(text(value))
    if isinstance(value, Mapping):
        return _map_renderer(value)
    assert isinstance(value, list | tuple)  # noqa: S101  nothing else holds a text
    items = [_renderer(item) for item in value]
    return lambda scope: [item(scope) for item in items]


def _text_renderer(parts: tuple[str | Expression, ...]) -> _Render:
    if len(parts) == 1 and isinstance(parts[0], Expression):
        return parts[0]
    pieces = [partial(_printed, part) if isinstance(part, Expression) else part for part in parts]
    return lambda scope: "".join([piece if isinstance(piece, str) else piece(scope) for piece in pieces])


def _printed(part: Expression, scope: Scope) -> str:
    return as_text(part(scope))


def _map_renderer(value: Mapping[str, Value]) -> _Render:
    entries = [(key, _bare_name(inner), _renderer(inner)) for key, inner in value.items()]

    def render(scope: Scope) -> dict[str, Any]:
        result = {}
        for key, name, inner in entries:
            if name is None:
                result[key] = inner(scope)
            elif name in scope:
                result[key] = scope[name]
        return result

    return render
