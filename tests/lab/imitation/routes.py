"""The table of what is imitated: (method, path as the description writes it) -> endpoint."""

from __future__ import annotations

from collections.abc import Callable

from .answers import Answer, Call

Endpoint = Callable[[Call], Answer]
ROUTES: dict[tuple[str, str], Endpoint] = {}


def endpoint(method: str, template: str) -> Callable[[Endpoint], Endpoint]:
    """Enters a function into the table."""

    def enter(function: Endpoint) -> Endpoint:
        ROUTES[method, template] = function
        return function

    return enter
