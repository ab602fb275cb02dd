"""The order: what every job of a payload has in common (schemas/order.schema.json). Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from ..spec.ensemble import Ensemble

FORMAT = 1


def make_order(
    ensemble: Ensemble,
    *,
    payload: str,
    lock: str | None,
    python: str,
    inputs: Mapping[str, Mapping[str, str]],
) -> dict[str, Any]:
    """`payload` is the sha256 of worker.zip, `lock` the lock's text, `inputs` sha256 -> name and kind."""
    worker = ensemble.worker
    return {
        "format": FORMAT,
        "study": ensemble.name,
        "payload": payload,
        "lock": hashlib.sha256(lock.encode()).hexdigest() if lock is not None else None,
        "python": python,
        "entrypoint": worker.entrypoint,
        "command": worker.command is not None,
        "timeout": worker.timeout,
        "memory": worker.needs.memory,
        "cpus": worker.needs.cpus,
        "isolation": worker.isolation,
        "env": list(worker.env),
        "inputs": {digest: dict(about) for digest, about in sorted(inputs.items())},
    }
