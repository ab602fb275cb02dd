"""From an order to what its runners need on this node: payload, inputs, environment."""

from __future__ import annotations

from collections.abc import Mapping

from . import environment
from .cache import Cache, Say
from .orders import Order
from .runners import Prepared


def prepare(order: Order, cache: Cache, secrets: Mapping[str, str], say: Say) -> Prepared:
    """Fetches and builds what is not in the cache; blocks. Raises Broken."""
    payload = cache.payload(order.payload, say)
    inputs = {one.digest: str(cache.input(one, say)) for one in order.inputs}
    python = environment.build(payload, order.python, cache.root, say)
    return Prepared(
        order=order,
        payload=payload,
        python=python,
        bytecode=cache.root / "bytecode" / python.parent.parent.name,
        inputs=inputs,
        secrets=secrets,
    )
