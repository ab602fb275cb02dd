"""The official description, read: which paths there are, and what a token must be allowed for each."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

FILE = Path(__file__).with_name("digitalocean-openapi.json")
METHODS = ("get", "put", "post", "delete", "patch")


class Place(NamedTuple):
    """A path of the description, and what its braces stand for."""

    template: str
    parameters: dict[str, str]


def load() -> dict[str, Any]:
    """A copy of one's own."""
    found: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
    return found


@functools.cache
def scopes() -> dict[tuple[str, str], frozenset[str]]:
    """By method and path: everything a token must be allowed."""
    return {
        (method.upper(), path): frozenset(
            one for need in operation["security"] for one in need["bearer_auth"]
        )
        for path, operations in load()["paths"].items()
        for method, operation in operations.items()
        if method in METHODS
    }


def find(path: str) -> Place | None:
    """The path of the description that a path is; the one with fewest braces where several fit."""
    for template, pattern in _patterns():
        if found := pattern.fullmatch(path):
            return Place(template, found.groupdict())
    return None


@functools.cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    templates = sorted({path for _, path in scopes()}, key=lambda one: (one.count("{"), one))
    return tuple((one, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", one))) for one in templates)
