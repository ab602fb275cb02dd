"""What machines cost by the dated table in the package (prices.json), for plans that may not ask the provider.

A size that is not in the table has no price here: none is guessed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from ..spec.ensemble import Cluster, Ensemble
from . import money
from .estimates import Effort, pace, wall
from .fleet import Role
from .money import MONTH, Estimate, terms_of
from .rental import estimate_form, limits, slots_of

_GRAIN = Decimal("0.00001")


@dataclass(frozen=True)
class ListedSize:
    """`hourly` in US dollars, `memory` in bytes."""

    hourly: Decimal
    vcpus: int
    memory: int


@dataclass(frozen=True)
class PriceTable:
    """By slug; `as_of` is a month, such as `2022-07`."""

    as_of: str
    sizes: Mapping[str, ListedSize]


@cache
def price_table() -> PriceTable:
    """The table in the package."""
    form = json.loads(Path(__file__).with_name("prices.json").read_text("utf-8"))
    sizes = {
        slug: ListedSize(
            (Decimal(str(size["monthly"])) / MONTH).quantize(_GRAIN), size["vcpus"], size["memory"] << 20
        )
        for slug, size in form["sizes"].items()
    }
    return PriceTable(form["as_of"], sizes)


@dataclass(frozen=True)
class Post:
    """`count` machines of a role that the file names; `hourly` is the price of one (None: not in the table)."""

    role: Role
    size: str
    count: int
    hourly: Decimal | None


@dataclass(frozen=True)
class Listed:
    """The machines that a file names, by the table of `as_of`. `slots` are the jobs they run at a time (None: the
    size is not in the table)."""

    as_of: str
    posts: tuple[Post, ...]
    slots: int | None

    @property
    def unknown(self) -> tuple[str, ...]:
        """Sizes that are not in the table."""
        return tuple(dict.fromkeys(post.size for post in self.posts if post.hourly is None))

    @property
    def hourly(self) -> Decimal | None:
        """US dollars an hour of all of them; None when the price of one is not known."""
        prices = [post.hourly * post.count for post in self.posts if post.hourly is not None]
        return sum(prices, money.NOTHING) if len(prices) == len(self.posts) else None

    @property
    def manager(self) -> Decimal:
        return self._price("manager")

    @property
    def worker(self) -> Decimal:
        return self._price("worker")

    def _price(self, role: Role) -> Decimal:
        return next((post.hourly for post in self.posts if post.role == role and post.hourly), money.NOTHING)

    def estimate(self, cluster: Cluster, *, to_do: int, effort: Effort | None) -> Estimate | None:
        """As if all of them were rented anew; None when the price of one is not known."""
        if self.hourly is None:
            return None
        known = effort if self.slots else None
        return money.estimate(
            self.hourly,
            terms_of(cluster, self.manager),
            to_do=to_do,
            wall=wall(known, self.slots) if known and self.slots else None,
            pace=pace(known, self.slots) if known and self.slots else "",
            new=sum(post.count for post in self.posts),
        )


def listed(ensemble: Ensemble, table: PriceTable | None = None) -> Listed | None:
    """None where nothing is rented."""
    cluster = ensemble.cluster
    if not cluster.is_rented:
        return None
    table = table or price_table()
    posts = tuple(_posts(cluster, table))
    working = table.sizes.get(posts[-1].size)
    slots = slots_of(ensemble, working.vcpus, working.memory) if working else None
    return Listed(table.as_of, posts, slots)


def _posts(cluster: Cluster, table: PriceTable) -> Iterator[Post]:
    """The manager, then the workers, if there are any."""
    roles: tuple[tuple[Role, int], ...] = (("manager", 1), ("worker", cluster.workers))
    for role, count in roles:
        if count:
            slug = str(cluster.options[role])
            size = table.sizes.get(slug)
            yield Post(role, slug, count, size.hourly if size else None)


def listed_form(found: Listed, cluster: Cluster, estimated: Estimate | None) -> dict[str, Any]:
    """As schemas/plan.schema.json has it under `cluster.listed`."""
    return {
        "as_of": found.as_of,
        "machines": [
            {
                "role": post.role,
                "size": post.size,
                "count": post.count,
                "hourly": None if post.hourly is None else float(post.hourly),
            }
            for post in found.posts
        ],
        "hourly": None if found.hourly is None else float(found.hourly),
        "slots": found.slots,
        **limits(cluster),
        "estimate": estimate_form(estimated) if estimated else None,
    }
