"""The order: what every job of a payload has in common (docs/contracts.md)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal


class Broken(Exception):
    """This node cannot work on an order. `detail` is what the tool said.

    `mends` is true for what may pass by itself: a network away, a disk full.
    """

    def __init__(self, sentence: str, detail: str = "", *, mends: bool = False) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.detail = detail
        self.mends = mends

    def __str__(self) -> str:
        return f"{self.sentence}\n{self.detail}".strip()


@dataclass(frozen=True)
class Input:
    """A shared input. `tree`: the object is a zip and becomes a directory called `name`."""

    digest: str
    name: str
    kind: Literal["file", "tree"]


@dataclass(frozen=True)
class Order:
    """`timeout` in seconds, `memory` in bytes of resident size; None: not watched."""

    digest: str
    study: str
    payload: str
    python: str
    entrypoint: str | None
    timeout: float | None
    memory: int | None
    cpus: float
    isolation: Literal["process", "fork"]
    env: tuple[str, ...]
    inputs: tuple[Input, ...]


def read(text: bytes | str, digest: str | None = None) -> Order:
    """The order in `text`. Raises Broken when it is not the one `digest` names (if given), or of another format."""
    try:
        raw = json.loads(text)
        found = _digest(raw)
        if digest is not None and found != digest:
            raise Broken("the order in the queue is not what its name says: start the study again")
        if raw["format"] != 1:
            raise Broken(
                f"the order has format {raw['format']}: controller and worker are of different versions"
            )
        return _build(raw, found)
    except (KeyError, TypeError, ValueError) as error:
        raise Broken("the order cannot be read: start the study again", repr(error)) from error


def _digest(raw: object) -> str:
    canonical = json.dumps(raw, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()


def _build(fields: Mapping[str, Any], digest: str) -> Order:
    for name, is_right in _FIELDS.items():
        if not is_right(fields[name]):
            raise Broken(f"the order is refused: its {name} is {str(fields[name])[:200]!r}")
    return Order(
        digest=digest,
        study=fields["study"],
        payload=fields["payload"],
        python=fields["python"],
        entrypoint=None if fields["command"] else fields["entrypoint"],
        timeout=fields["timeout"],
        memory=fields["memory"],
        cpus=float(fields["cpus"]),
        isolation=fields["isolation"],
        env=tuple(fields["env"]),
        inputs=tuple(Input(sha, one["name"], one["kind"]) for sha, one in fields["inputs"].items()),
    )


# ── what may stand in an order: names become paths, and a Python becomes a program to start ───
def _text(pattern: str) -> Callable[[Any], bool]:
    fits = re.compile(pattern).fullmatch
    return lambda value: isinstance(value, str) and fits(value) is not None


def _is_positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def is_input_name(digest: Any, name: Any) -> bool:
    """Whether both may become parts of a path."""
    return _is_digest(digest) and _is_file_name(name)


def _is_input(digest: Any, one: Any) -> bool:
    return is_input_name(digest, one["name"]) and one["kind"] in ("file", "tree")


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


_is_digest = _text("[0-9a-f]{64}")
_is_file_name = _text(r"(?!\.{1,2}$)[^/\x00]{1,255}")
_is_entrypoint = _text("[^:]+:[^:]+")

_FIELDS: Mapping[str, Callable[[Any], bool]] = {
    "study": _text("[a-z0-9-]+"),
    "payload": _is_digest,
    "python": _text(r"3\.[0-9]+"),
    "command": lambda value: isinstance(value, bool),
    "entrypoint": lambda value: value is None or _is_entrypoint(value),
    "timeout": lambda value: value is None or _is_positive(value),
    "memory": lambda value: value is None or (isinstance(value, int) and _is_positive(value)),
    "cpus": _is_positive,
    "isolation": lambda value: value in ("process", "fork"),
    "env": _are_texts,
    "inputs": lambda value: isinstance(value, dict) and all(_is_input(*item) for item in value.items()),
}
