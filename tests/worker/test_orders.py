"""An order that wants what no order may want: a path for a name, a program for a Python."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from cloudburst_worker import orders

ORDER: dict[str, Any] = {
    "format": 1, "study": "lab", "payload": "a" * 64, "lock": "", "command": False, "python": "3.11",
    "entrypoint": "mod:work", "timeout": 1.5, "memory": None, "cpus": 1, "isolation": "process", "env": ["A"],
    "inputs": {"b" * 64: {"name": "city.inp", "kind": "file"}},
}  # fmt: skip


def test_an_order_is_read() -> None:
    order = orders.read(json.dumps(ORDER))
    assert (order.study, order.payload, order.python, order.env) == ("lab", "a" * 64, "3.11", ("A",))
    assert order.inputs == (orders.Input("b" * 64, "city.inp", "file"),)


@pytest.mark.parametrize(
    "change",
    [
        {"payload": "../../etc"}, {"payload": "A" * 64}, {"study": "../x"}, {"python": "/tmp/evil"}, {"python": "3"},
        {"entrypoint": "os"}, {"entrypoint": 3}, {"timeout": -1}, {"timeout": True}, {"memory": 0}, {"memory": 1.5},
        {"cpus": 0}, {"cpus": "1"}, {"isolation": "none"}, {"env": "HOME"}, {"env": [1]}, {"command": "yes"},
        {"inputs": {"../x": {"name": "a", "kind": "file"}}}, {"inputs": {"b" * 64: {"name": "../a", "kind": "file"}}},
        {"inputs": {"b" * 64: {"name": "..", "kind": "file"}}}, {"inputs": {"b" * 64: {"name": "a", "kind": "device"}}},
        {"inputs": []},
    ],
)  # fmt: skip
def test_what_no_order_may_say_is_refused(change: dict[str, Any]) -> None:
    (name,) = change
    with pytest.raises(orders.Broken, match=f"the order is refused: its {name} is"):
        orders.read(json.dumps({**ORDER, **change}))


def test_an_order_under_another_name_is_refused() -> None:
    text = json.dumps(ORDER)
    with pytest.raises(orders.Broken, match="not what its name says"):
        orders.read(text, hashlib.sha256(b"another").hexdigest())
    for nonsense in ("{", "[]", '{"format": 1}', '{"format": 9, "study": "x"}'):
        with pytest.raises(orders.Broken):
            orders.read(nonsense)
