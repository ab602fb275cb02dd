"""The laptop is closed, and the time is over: the machines give themselves back, and the next `apply` goes on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .commands import until
from .lives import Life, machines
from .switches import REAPER, all_gone, token_of

pytestmark = pytest.mark.timeout(600)


def test_when_the_time_is_over_machines_go_by_themselves_and_apply_goes_on(life: Life) -> None:
    token = token_of(life)
    life.write(jobs=6, workers=1, reaper_token=REAPER)
    life.apply(**token)
    life.write(jobs=6, workers=1, reaper_token=REAPER, ttl="1m")
    life.apply(**token)
    gone = all_gone(life)
    assert gone == [*machines(1)[1:], machines(1)[0]], "workers first, the manager last"
    until(lambda: status(life, **token)["rental"]["machines"] == [], "no list has them any more", 60)
    assert status(life, **token)["counts"]["done"] == 6
    life.write(jobs=9, workers=1, reaper_token=REAPER)
    ended = json.loads(life.apply(**token).splitlines()[-1])
    assert (ended["recorded"], ended["done"]) == (6, 3), "what was computed before is not computed again"
    life.destroy(**token)


def status(life: Life, **variables: Any) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(life.project.run("status", "--json", **variables))
    return said
