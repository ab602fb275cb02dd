"""What `validate` and `plan` cost as whole processes, beside a Python that only imports the three parsers."""

from __future__ import annotations

import sys
from pathlib import Path

from measure import Cost, Line, cloudburst, cost, progress

ROOT = Path(__file__).resolve().parents[1]
PARSERS = [sys.executable, "-c", "import yaml, jsonschema, jinja2"]
COMMANDS = {
    "`cloudburst validate`": cloudburst("validate", "examples/ensemble.yaml"),
    "`cloudburst plan`": cloudburst("plan", "examples/ensemble.yaml"),
}


def whole_processes(rounds: int) -> list[Line]:
    """CPU and wall time of each, interleaved, over the parsers' in the same round."""
    progress("validate and plan: whole processes")
    for command in (PARSERS, *COMMANDS.values()):
        cost(command, ROOT)  # what is compiled and read from disk only once
    costs: dict[str, list[Cost]] = {name: [] for name in ("parsers", *COMMANDS)}
    for _ in range(rounds):
        costs["parsers"].append(cost(PARSERS, ROOT))
        for name, command in COMMANDS.items():
            costs[name].append(cost(command, ROOT))
    return [line for name, own in costs.items() for line in lines(name, own, costs["parsers"])]


def lines(name: str, own: list[Cost], parsers: list[Cost]) -> list[Line]:
    what = "`python -c 'import yaml, jsonschema, jinja2'`"
    if own is parsers:
        return [
            Line(f"{what}, CPU", "ms", tuple(1000 * c.cpu for c in own)),
            Line(f"{what}, wall", "ms", tuple(1000 * c.wall for c in own)),
        ]
    cpu = tuple(c.cpu / p.cpu for c, p in zip(own, parsers, strict=True))
    wall = tuple(c.wall / p.wall for c, p in zip(own, parsers, strict=True))
    return [
        Line(f"{name}, CPU", "ms", tuple(1000 * c.cpu for c in own), "the parsers", cpu, "<= 3"),
        Line(f"{name}, wall", "ms", tuple(1000 * c.wall for c in own), "the parsers", wall, "<= 3"),
    ]
