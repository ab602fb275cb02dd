"""What `doctor` found, a line each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .paint import Paint
from .words import count


def line(finding: Mapping[str, Any], paint: Paint) -> str:
    colour = {"ok": paint.green, "warning": paint.yellow, "problem": paint.red}[finding["state"]]
    text = f"{colour(finding['state'].ljust(7))}  {finding['about'].ljust(8)}  {finding['detail']}"
    return f"{text}\n{' ' * 19}→ {finding['hint']}" if finding["hint"] else text


def closing(problems: int) -> str:
    if not problems:
        return "\nA study can run here."
    return f"\n{count(problems, 'problem')}: a study cannot run here yet."
