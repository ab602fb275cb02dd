"""Prices of the dated table: what is in it is a price, what is not is unknown."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

from compile import nouns

from cloudburst.compile.prices import listed, listed_form, price_table
from cloudburst.spec.ensemble import Cluster, Ensemble


def study(**options: str) -> Ensemble:
    sizes = {"region": "nyc3", "manager": "s-2vcpu-4gb", "worker": "s-4vcpu-8gb"} | options
    return replace(nouns.ensemble(), cluster=Cluster("digitalocean", options=sizes, workers=3))


def test_the_table_is_dated_and_has_hours() -> None:
    table = price_table()
    assert re.fullmatch(r"20\d\d-\d\d", table.as_of)
    assert table.sizes["s-4vcpu-8gb"].hourly == Decimal("0.07143")
    assert table.sizes["s-4vcpu-8gb"].memory == 8 << 30
    assert all(size.hourly > 0 and size.vcpus and size.memory for size in table.sizes.values())


def test_machines_add_up() -> None:
    found = listed(study())
    assert found is not None
    assert found.hourly == Decimal("0.03571") + 3 * Decimal("0.07143")
    assert (found.slots, found.manager, found.worker) == (12, Decimal("0.03571"), Decimal("0.07143"))


def test_a_size_that_is_not_in_it_is_unknown_and_so_is_the_whole() -> None:
    ensemble = study(worker="c-4")
    found = listed(ensemble)
    assert found is not None
    assert (found.hourly, found.slots, found.unknown) == (None, None, ("c-4",))
    assert found.estimate(ensemble.cluster, to_do=5, effort=None) is None
    assert [one["hourly"] for one in listed_form(found, ensemble.cluster, None)["machines"]] == [
        0.03571,
        None,
    ]


def test_a_manager_alone_works_itself() -> None:
    alone = study()
    found = listed(replace(alone, cluster=replace(alone.cluster, workers=0)))
    assert found is not None
    assert ([post.role for post in found.posts], found.slots) == (["manager"], 2)


def test_where_nothing_is_rented_there_is_nothing_to_list() -> None:
    assert listed(nouns.ensemble()) is None
