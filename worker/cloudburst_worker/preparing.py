"""From an order to what its runners need on this node: payload, inputs, environment."""

from __future__ import annotations

from collections.abc import Mapping

from . import environment
from .cache import Cache, Say, disk_errors
from .orders import Order
from .runners import Prepared


def prepare(order: Order, cache: Cache, secrets: Mapping[str, str], say: Say) -> Prepared:
    """Fetches and builds what is not in the cache; blocks. Raises Broken."""
    used = cache.used_by(order.study)
    with disk_errors("the cache", cache.root):
        used.mark("payload", order.payload)
        for one in order.inputs:
            used.mark("input", one.digest)
    payload = cache.payload(order.payload, say)
    inputs = {one.digest: str(cache.input(one, say)) for one in order.inputs}
    with disk_errors("the cache", cache.root):
        used.mark("environment", environment.name_for(payload, order.python))
    python = environment.build(payload, order.python, cache.root, say)
    return Prepared(
        order=order,
        payload=payload,
        python=python,
        bytecode=cache.root / "bytecode" / python.parent.parent.name,
        inputs=inputs,
        secrets=secrets,
    )
