"""A plan to look at, from its JSON form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from ..compile import plan
from ..compile.plan import Action, Counts
from ..words import count


@dataclass(frozen=True, repr=False)
class Plan:
    """What `apply` would do. `counts` are of jobs (rows with one id are one job), by state; `actions` say what would
    be done and why; `document` is all of it, as schemas/plan.schema.json says."""

    study: str
    counts: Counts
    actions: tuple[Action, ...]
    has_something_to_do: bool
    document: Mapping[str, Any]

    @classmethod
    def of(cls, counted: plan.Plan) -> Self:
        return cls(
            counted.ensemble.name,
            counted.counted,
            counted.actions,
            counted.has_something_to_do,
            counted.to_json(),
        )

    def to_json(self) -> str:
        """The document as text."""
        return json.dumps(self.document, ensure_ascii=False)

    def __str__(self) -> str:
        """The first line of `cloudburst plan`, and its actions."""
        lines = [f"{self.study}: {count(self.counts.rows, 'row')}"]
        lines += [f"{one.mark} {one.verb} {one.address}: {one.reason}" for one in self.actions]
        return "\n".join(lines)

    __repr__ = __str__
