"""What stands under `sample`, from its short forms to its normal form, and distributions from there to their nouns.

Kinds of distributions and options of methods are tables: what a list means by position, what each method knows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path as File
from typing import Any, Final

from ..diagnostics import Path, Problem
from ..words import listed
from .ensemble import (
    Beta,
    Choice,
    Distribution,
    Exponential,
    Gamma,
    Integers,
    LogNormal,
    LogUniform,
    Normal,
    Poisson,
    Scipy,
    Triangular,
    TruncNormal,
    Uniform,
    Weibull,
)
from .tables import read_table

_BY_POSITION: Final[Mapping[str, tuple[str, ...]]] = {
    "uniform": ("min", "max"),
    "loguniform": ("min", "max"),
    "integers": ("min", "max"),
    "normal": ("mean", "sd"),
    "truncnormal": ("mean", "sd", "min", "max"),
    "triangular": ("min", "mode", "max"),
    "exponential": ("mean",),
    "weibull": ("shape", "scale"),
    "gamma": ("shape", "scale"),
    "beta": ("a", "b"),
    "poisson": ("mean",),
}
"""What the numbers of a list are called; a number alone is the first of them."""

_DEFAULTS: Final[Mapping[str, Mapping[str, float | None]]] = {
    "truncnormal": {"min": None, "max": None},
    "beta": {"min": 0, "max": 1},
}
_PAIRS: Final = ("uniform", "loguniform", "integers")

_OPTIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "random": {},
    "lhs": {},
    "sobol": {"scramble": True},
    "halton": {"scramble": True},
    "saltelli": {"scramble": True, "second_order": True, "groups": {}},
    "morris": {"levels": 4, "groups": {}},
}
"""What each method knows beside what all of them do, with its defaults."""

_CORRELATED: Final = ("random", "lhs")


# ── the normal form ──────────────────────────────────────────────────────────────────────────
def method(value: Mapping[str, Any], path: Path, problems: list[Problem]) -> dict[str, Any]:
    """All but the draws. `trajectories` of morris are its `n`; what a method does not know is a problem."""
    name = value["method"]
    known = _OPTIONS[name]
    problems += (
        _strange(key, name, path)
        for key in ("n", "trajectories", "correlate", "scramble", "second_order", "groups", "levels")
        if key in value and name not in _methods_with(key)
    )
    seed = value.get("seed")
    form: dict[str, Any] = {
        "method": name,
        "n": int(value["trajectories" if name == "morris" else "n"]),
        "seed": None if seed is None else int(seed),
    }
    if "correlate" in value and name in _CORRELATED:
        form["correlate"] = {first: dict(others) for first, others in value["correlate"].items()}
    if known:
        form["options"] = {key: _plain(value.get(key, default)) for key, default in known.items()}
    return form


def _plain(value: Any) -> Any:
    """4.0 levels are 4."""
    return int(value) if isinstance(value, float) else value


def _methods_with(key: str) -> tuple[str, ...]:
    if key == "correlate":
        return _CORRELATED
    if key in ("n", "trajectories"):
        return tuple(name for name in _OPTIONS if (name == "morris") == (key == "trajectories"))
    return tuple(name for name, options in _OPTIONS.items() if key in options)


def _strange(key: str, name: str, path: Path) -> Problem:
    message = f"`{key}` means nothing to {name}: it belongs to {listed(_methods_with(key))}"
    return Problem("option-of-another-method", (*path, key), message, "take it out", at="key")


def long_form(value: Mapping[str, Any]) -> dict[str, Any]:
    """One distribution but `choice`, written out: two bounds as a list, everything else by name."""
    ((kind, said),) = ((key, item) for key, item in value.items() if key not in _BESIDE)
    names = _BY_POSITION.get(kind, ())
    if isinstance(said, int | float):
        said = [said]
    named = dict(zip(names, said, strict=True)) if isinstance(said, list) else dict(said)
    if kind in _PAIRS:
        bounds = [named["min"], named["max"]]
        return {kind: [int(bound) for bound in bounds] if kind == "integers" else bounds}
    return {kind: named | {key: named.get(key, default) for key, default in _DEFAULTS.get(kind, {}).items()}}


_BESIDE: Final = ("unit", "size", "names", "weights")
"""What may stand beside the kind of a distribution."""


def vector(value: Mapping[str, Any], base: File, path: Path, problems: list[Problem]) -> dict[str, Any]:
    """`size` or `names` of a draw of many, if it is one; names from a file are read."""
    if "size" in value and "names" in value:
        message = "a draw of many has a `size` or `names`"
        problems.append(Problem("too-many-kinds", (*path, "names"), message, "keep one", at="key"))
    if "names" in value:
        return {"names": _names(value["names"], base, (*path, "names"), problems)}
    return {"size": int(value["size"])} if "size" in value else {}


MOST_TOGETHER: Final = 10_000


def together(
    draws: dict[str, dict[str, Any]], path: Path, problems: list[Problem]
) -> dict[str, dict[str, Any]]:
    """The draws, as many of them as one point of a sample may have values; the rest is a problem."""
    width = 0
    for number, (name, form) in enumerate(draws.items()):
        width += form.get("size", len(form.get("names", (0,))))
        if width > MOST_TOGETHER:
            message = f"more than {MOST_TOGETHER:,} values are drawn together, up to here"
            hint = "what is longer is drawn by the job, from the seed of a replicate"
            problems.append(Problem("too-many-values", (*path, "of", name), message, hint))
            return dict(islice(draws.items(), number))
    return draws


def _names(
    value: list[str] | Mapping[str, str], base: File, path: Path, problems: list[Problem]
) -> list[str]:
    if isinstance(value, list):
        return value
    asked = {"file": value["file"], "columns": [value["column"]], "types": {value["column"]: "text"}}
    table, found = read_table(asked, base, path)
    problems += (_of_column(problem, path) for problem in found)
    if not table:
        return []
    lines: dict[str, int] = {}
    for (name,), line in zip(table["rows"], table["lines"], strict=True):
        if name is None:
            continue
        if name in lines:
            message = f'{value["file"]}, line {line}: "{name}" stands twice, first on line {lines[name]}'
            problems.append(Problem("listed-twice", (*path, "file"), message, "each name has one draw"))
        lines.setdefault(name, line)
    if not lines:
        problems.append(Problem("empty", (*path, "column"), f"{value['file']} has no names in this column"))
    return list(lines)


def _of_column(problem: Problem, path: Path) -> Problem:
    """A table is asked with `columns` and `types`; here the user wrote a `column`."""
    place = "column" if problem.path[len(path) :][:1] in (("columns",), ("types",)) else "file"
    return Problem(problem.code, (*path, place), problem.message, problem.hint, problem.severity)


# ── nouns ────────────────────────────────────────────────────────────────────────────────────
def distribution_of(form: Mapping[str, Any]) -> Distribution:
    """The noun of a distribution in normal form."""
    if "choice" in form:
        weights = form["weights"]
        return Choice(tuple(form["choice"]), None if weights is None else tuple(map(float, weights)))
    kind = next(key for key in form if key in _NOUNS)
    return _NOUNS[kind](form[kind])


def _floats(kind: Callable[..., Distribution], *names: str) -> Callable[[Mapping[str, Any]], Distribution]:
    return lambda said: kind(*(None if said[name] is None else float(said[name]) for name in names))


def _lognormal(said: Mapping[str, Any]) -> LogNormal:
    """Mean and sd are those of the variable, mu and sigma those of its logarithm."""
    if "mu" in said:
        return LogNormal(float(said["mu"]), float(said["sigma"]))
    variance = math.log1p((float(said["sd"]) / float(said["mean"])) ** 2)
    return LogNormal(math.log(float(said["mean"])) - variance / 2, math.sqrt(variance))


def _scipy(said: Mapping[str, Any]) -> Scipy:
    return Scipy(said["name"], {key: value for key, value in said.items() if key != "name"})


_NOUNS: Final[Mapping[str, Callable[[Any], Distribution]]] = {
    "uniform": lambda said: Uniform(*map(float, said)),
    "loguniform": lambda said: LogUniform(*map(float, said)),
    "integers": lambda said: Integers(*said),
    "normal": _floats(Normal, "mean", "sd"),
    "truncnormal": _floats(TruncNormal, "mean", "sd", "min", "max"),
    "lognormal": _lognormal,
    "triangular": _floats(Triangular, "min", "mode", "max"),
    "exponential": _floats(Exponential, "mean"),
    "weibull": _floats(Weibull, "shape", "scale"),
    "gamma": _floats(Gamma, "shape", "scale"),
    "beta": _floats(Beta, "a", "b", "min", "max"),
    "poisson": _floats(Poisson, "mean"),
    "scipy": _scipy,
}
