"""The order: what every job of a payload has in common (docs/contracts.md)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
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
    return Order(
        digest=digest,
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
