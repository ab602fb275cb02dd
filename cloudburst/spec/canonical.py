"""Pass 3: short forms -> long forms, with every default and every table row: the normal form.

The normal form is JSON, one spelling for one meaning, and needs no other file. Its keys keep the order the user
wrote, which has meaning. `at` of a block, and of a sink that has moved, is where it stands in the user's file. Values of `grid`, `zip`,
`oat` and `choice` are `{values}`, `{from, to, step}` or `{from, to, count, scale}`, in `grid` and `zip` with texts for bounds that are
expressions; durations are seconds, sizes bytes, money is US dollars as text. What not every study has (`unit`, `when`, `paired`, `order`,
`take`) is there only where it says something. A `glob` has the `paths` of its files beside it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path as File
from typing import Any, Final

from ..diagnostics import Path, Problem
from . import ranges, sampling
from .build import values_of
from .ensemble import Cluster, Worker
from .globs import list_files
from .tables import read_table

FORMAT: Final = 1
MAX_CHOICES: Final = 10_000
DASHBOARDS: Final = ("queue", "visualizer")
MANAGER_SIZE: Final = "s-2vcpu-4gb"
DROPLET_IMAGE: Final = "ubuntu-24-04-x64"

_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_BYTES = {"B": 1} | {
    f"{prefix}B": base**power
    for base, prefixes in ((1000, "k M G T"), (1024, "Ki Mi Gi Ti"))
    for power, prefix in enumerate(prefixes.split(), 1)
}


def normalise(value: Mapping[str, Any], base: File) -> tuple[dict[str, Any], tuple[Problem, ...]]:
    """The normal form of what the schema has accepted; paths in it are relative to `base`."""
    problems: list[Problem] = []
    name = value["name"]
    normal = {
        "format": FORMAT,
        "name": name,
        "seed": int(value.get("seed", 0)),
        "worker": worker(value["worker"]),
        "inputs": dict(value.get("inputs", {})),
        "parameters": _blocks(value["parameters"], base, problems),
        "job": value.get("job"),
        "cluster": cluster(value.get("cluster", {})),
        "results": results(value.get("results"), name),
    }
    return normal, tuple(problems)


def on_this_machine(normal: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[Problem, ...]]:
    """The same study for a run here: without its machines and what only they have; notes say what is missed.

    A sink that would be fed into a server of theirs is left out.
    """
    kept, problems = [], []
    for index, sink in enumerate(normal["results"]):
        ((kind, options),) = sink.items()
        if kind == "influxdb" and options["url"] is None:
            hint = (
                "nothing is lost: it is filled when the study runs on its machines, or when it gets a `url`"
            )
            message = "this machine brings no InfluxDB: this sink is left out"
            problems.append(Problem("no-server", ("results", index, kind), message, hint, "note", "key"))
        else:
            kept.append({kind: {**options, "at": ["results", index]}})
    here = {
        "worker": {
            **normal["worker"],
            "image": Worker.image,
            "stop_grace": Worker.stop_grace,
            "scratch": Worker.scratch,
        },
        "cluster": {
            **cluster({}),
            "slots": normal["cluster"]["slots"],
            "max_failures": normal["cluster"]["max_failures"],
        },
        "results": kept,
    }
    return {**normal, **here}, tuple(problems)


# ── worker, cluster, results ─────────────────────────────────────────────────────────────────
def worker(value: Mapping[str, Any]) -> dict[str, Any]:
    needs, timeout = value.get("needs", {}), value.get("timeout")
    return {
        "directory": value["directory"],
        "entrypoint": value.get("entrypoint"),
        "command": value.get("command"),
        "python": value.get("python"),
        "timeout": None if timeout is None else seconds(timeout),
        "retries": retries(value.get("retries", 0)),
        "needs": {
            "memory": size(needs["memory"]) if "memory" in needs else None,
            "cpus": needs.get("cpus", 1),
        },
        "isolation": value.get("isolation", "process"),
        "env": list(value.get("env", [])),
        "image": value.get("image", Worker.image),
        "stop_grace": seconds(value["stop_grace"]) if "stop_grace" in value else Worker.stop_grace,
        "scratch": scratch(value.get("scratch", Worker.scratch)),
    }


def scratch(value: str) -> int | str:
    return value if value in ("auto", "disk") else size(value)


def retries(value: int | float | Mapping[str, Any]) -> dict[str, Any]:
    """`2` is `{max: 2}`, `on: crash` is `on: [crash]`."""
    if not isinstance(value, Mapping):
        value = {"max": value}
    on = value.get("on", ["crash", "lost"])
    return {"max": int(value["max"]), "on": [on] if isinstance(on, str) else list(on)}


def cluster(value: Mapping[str, Any]) -> dict[str, Any]:
    slots, dashboards = value.get("slots", "auto"), value.get("dashboards", {})
    return {
        "provider": provider(value.get("provider", "local")),
        "slots": slots if isinstance(slots, str) else int(slots),
        "max_failures": max_failures(value.get("max_failures")),
        "dashboards": [name for name in DASHBOARDS if dashboards.get(name)],
        **_rental(value),
    }


def _rental(value: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of machines that are rented. `ttl` null means never; money is its decimal text."""
    idle_stop, max_cost, ssh_keys = value.get("idle_stop"), value.get("max_cost"), value.get("ssh_keys")
    return {
        "workers": int(value.get("workers", Cluster.workers)),
        "max_cost": None if max_cost is None else money(max_cost),
        "ttl": ttl(value["ttl"]) if "ttl" in value else Cluster.ttl,
        "idle_stop": None if idle_stop is None else seconds(idle_stop),
        "keep_results": seconds(value["keep_results"]) if "keep_results" in value else Cluster.keep_results,
        "reaper_token": value.get("reaper_token"),
        "ssh_keys": None if ssh_keys is None else list(ssh_keys),
    }


def ttl(text: str) -> float | None:
    return None if text == "never" else seconds(text)


def money(value: str | int | float) -> str:
    """`25.50 USD` -> `25.5`, `25` -> `25`: US dollars, exact."""
    amount = Decimal(str(value).removesuffix("USD").strip())
    return f"{amount.normalize():f}"


def provider(value: str | Mapping[str, Any]) -> dict[str, Any]:
    """`swarm` is `{swarm: {context: default}}`: the Docker of this machine, whose swarm is meant."""
    if isinstance(value, str):
        return {value: {"context": "default"} if value == "swarm" else {}}
    return {kind: _OPTIONS.get(kind, dict)(options or {}) for kind, options in value.items()}


def _ssh(options: Mapping[str, Any]) -> dict[str, Any]:
    """`ssh://user@host` is `user@host`."""
    hosts = [host.removeprefix("ssh://") for host in options["hosts"]]
    return {"hosts": hosts, "network": options.get("network")}


def _digitalocean(options: Mapping[str, Any]) -> dict[str, Any]:
    """Every key, in one order. An image given by its number is that number as text."""
    image = options.get("image", DROPLET_IMAGE)
    return {
        "region": options["region"],
        "manager": options.get("manager", MANAGER_SIZE),
        "worker": options["worker"],
        "image": image if isinstance(image, str) else str(int(image)),
        "docker": options.get("docker", "distribution"),
        "vpc": options.get("vpc"),
        "tags": list(options.get("tags", [])),
        "ssh_from": list(options["ssh_from"]) if "ssh_from" in options else None,
    }


_OPTIONS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "ssh": _ssh,
    "digitalocean": _digitalocean,
}


def max_failures(value: str | float | None) -> dict[str, Any] | None:
    """`5%` is a fraction, `5` a count."""
    if value is None:
        return None
    if isinstance(value, str):
        return {"fraction": float(Decimal(value.removesuffix("%").strip()) / 100)}
    return {"count": int(value)}


def results(value: list[Mapping[str, Any]] | None, name: str) -> list[dict[str, Any]]:
    """Without any: one table, named after the study."""
    if not value:
        return [{"table": {"path": f"results/{name}.csv"}}]
    return [{kind: sink(kind, options) for kind, options in written.items()} for written in value]


def sink(kind: str, options: Mapping[str, Any]) -> dict[str, Any]:
    if kind != "influxdb":
        return dict(options)
    keys = ("database", "url", "username", "password", "token", "tags", "start")
    return {key: options.get(key) for key in keys}


def seconds(text: str) -> float:
    """`1h30m` -> 5400.0."""
    parts = re.findall(r"([0-9.]+)([dhms])", text)
    return float(sum(Decimal(number) * _SECONDS[unit] for number, unit in parts))


def size(text: str) -> int:
    """`2 GB` -> 2000000000, `512 MiB` -> 536870912; a fraction of a byte is dropped."""
    number, unit = re.fullmatch(r"([0-9.]+) ?([A-Za-z]+)", text).groups()  # type: ignore[union-attr]
    return int(Decimal(number) * _BYTES["kB" if unit == "KB" else unit])


# ── parameters ───────────────────────────────────────────────────────────────────────────────
def _blocks(value: Any, base: File, problems: list[Problem]) -> list[dict[str, Any]]:
    if isinstance(value, list):
        return [
            _block(block, f"block-{index + 1}", ("parameters", index), base, problems)
            for index, block in enumerate(value)
        ]
    return [_block(value, "main", ("parameters",), base, problems)]


def _block(
    value: Mapping[str, Any], name: str, path: Path, base: File, problems: list[Problem]
) -> dict[str, Any]:
    """Sections in the order written: that of the sources is the order of the rows."""
    block: dict[str, Any] = {"block": value.get("block", name), "at": list(path)}
    for key, section in value.items():
        if key == "table":
            table, found = read_table(section, base, (*path, "table"))
            problems += found
            block |= {"table": table} if table else {}
        elif key == "sample":
            block["sample"] = _sample(section, base, (*path, "sample"), problems)
        elif key in ("grid", "zip"):
            block[key] = _listed(key, _SECTIONS[key](section), base, (*path, key), problems)
        elif key != "block":
            block[key] = _SECTIONS[key](section)
    return block


def _listed(key: str, section: Any, base: File, path: Path, problems: list[Problem]) -> Any:
    """A `grid` or `zip` with the files of each `glob`; without an axis that has none."""
    if key == "zip":
        groups = [_with_files(group, base, (*path, index), problems) for index, group in enumerate(section)]
        return [group for group in groups if group]
    return _with_files(section, base, path, problems)


def _with_files(
    axes: Mapping[str, Any], base: File, path: Path, problems: list[Problem]
) -> dict[str, dict[str, Any]]:
    found = {
        name: list_files(one, base, (*path, name), problems) if "glob" in one else one
        for name, one in axes.items()
    }
    return {name: one for name, one in found.items() if one}


def _grid(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: axis(item) for name, item in value.items()}


def axis(value: Any) -> dict[str, Any]:
    """A list is its values, a scalar is one value; `when`, `unit` and `was` stay beside them."""
    if not isinstance(value, Mapping):
        return values(value if isinstance(value, list) else [value])
    beside = {key: value[key] for key in ("when", "unit", "was") if key in value}
    if "value" in value:
        return {"values": [value["value"]]} | beside
    if "glob" in value:
        return {"glob": value["glob"]} | beside
    return values(value.get("values", value)) | beside


def values(value: Any) -> dict[str, Any]:
    if isinstance(value, list):
        return {"values": value}
    if "step" in value:
        return {key: value[key] for key in ("from", "to", "step")}
    return {
        "from": value["from"],
        "to": value["to"],
        "count": int(value["count"]),
        "scale": value.get("scale", "linear"),
    }


def _zip(value: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{name: axis(item) for name, item in group.items()} for group in value]


def replicates(value: int | float | Mapping[str, Any]) -> dict[str, Any]:
    """`3` is `{n: 3, as: seed}`."""
    if not isinstance(value, Mapping):
        value = {"n": value}
    paired = {"paired": True} if value.get("paired") else {}
    return {"n": int(value["n"]), "as": value.get("as", "seed")} | paired


def oat(value: Mapping[str, Any]) -> dict[str, Any]:
    """A step that is a number stays one; a list or a range is its values."""
    return {
        "centre": dict(value["centre"]),
        "steps": {
            name: values(step) if isinstance(step, list | Mapping) else step
            for name, step in value["steps"].items()
        },
        "each_side": int(value.get("each_side", 1)),
        "include_centre": value.get("include_centre", True),
    }


def order(value: Mapping[str, Any]) -> dict[str, int]:
    return {"shuffle": int(value["shuffle"])}


def take(value: float | Mapping[str, Any]) -> dict[str, int | None]:
    """`10` is `{skip: 0, n: 10}`."""
    if not isinstance(value, Mapping):
        value = {"n": value}
    return {"skip": int(value.get("skip", 0)), "n": int(value["n"]) if "n" in value else None}


def _derive(value: Mapping[str, Any]) -> dict[str, str]:
    """A number or truth value is its own expression."""
    return {name: item if isinstance(item, str) else json.dumps(item) for name, item in value.items()}


def _exclude(value: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{"where": item["where"]} if "where" in item else {"match": dict(item)} for item in value]


_SECTIONS: dict[str, Callable[[Any], Any]] = {
    "fixed": dict,
    "grid": _grid,
    "zip": _zip,
    "cases": list,
    "replicates": replicates,
    "oat": oat,
    "order": order,
    "take": take,
    "derive": _derive,
    "exclude": _exclude,
}


# ── sample ───────────────────────────────────────────────────────────────────────────────────
def _sample(value: Mapping[str, Any], base: File, path: Path, problems: list[Problem]) -> dict[str, Any]:
    draws = {
        name: _distribution(name, item, (*path, "of", name), problems)
        | sampling.vector(item, base, (*path, "of", name), problems)
        | _unit(item)
        for name, item in value["of"].items()
    }
    return sampling.method(value, path, problems) | {"of": sampling.together(draws, path, problems)}


def _unit(value: Mapping[str, Any]) -> dict[str, str]:
    return {"unit": value["unit"]} if "unit" in value else {}


def _distribution(name: str, value: Mapping[str, Any], path: Path, problems: list[Problem]) -> dict[str, Any]:
    if "choice" not in value:
        return sampling.long_form(value)
    listed = _choices(name, value["choice"], (*path, "choice"), problems)
    return {"choice": listed, "weights": value.get("weights")}


def _choices(name: str, value: Any, path: Path, problems: list[Problem]) -> list[Any]:
    """A range is written out here: a choice is short by nature."""
    if isinstance(value, list):
        return value
    meant = values_of(values(value))
    found = list(ranges.check(name, meant, path))
    if not found and ranges.length(meant) > MAX_CHOICES:
        message = f'"{name}" chooses among {ranges.length(meant):,} values'
        found = [
            Problem("too-many-values", path, message, "`integers` draws from any range of whole numbers")
        ]
    problems += found
    return [0] if found else list(ranges.expand(meant))
