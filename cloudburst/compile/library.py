"""What scipy draws: gamma, beta, and every other distribution of scipy.stats. The only home of scipy.

Imported when a study asks for it, never before; its version travels with what it drew.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any

from ..errors import CloudBurstError
from ..spec.ensemble import Beta, Distribution, Gamma, Scipy, has_ends
from .distributions import share

WAY_OUT = "pip install 'cloudburst[design]'"


class LibraryMissing(CloudBurstError):
    """scipy is not installed."""

    def __init__(self) -> None:
        super().__init__("scipy draws from this distribution, and it is not installed", WAY_OUT)


class Misfit(Exception):
    """What scipy is asked for it has not. `key` is the parameter it is about, None for the whole."""

    def __init__(self, message: str, hint: str, key: str | None = None) -> None:
        super().__init__(message)
        self.message, self.hint, self.key = message, hint, key


@cache
def _stats() -> Any:
    """scipy.stats. Raises LibraryMissing."""
    try:
        from scipy import stats
    except ImportError as error:
        raise LibraryMissing from error
    return stats


def versions() -> dict[str, str]:
    """Of the library, for the plan. Raises LibraryMissing."""
    _stats()
    from importlib.metadata import version

    return {"scipy": version("scipy")}


def values(distribution: Distribution, positions: Iterable[tuple[int, int]]) -> array[Any]:
    """The values at these positions, float64, or int64 where they are whole by nature.

    Raises LibraryMissing, and Misfit for parameters there is no such distribution with.
    """
    frozen, is_whole = _frozen(distribution)
    if has_ends(distribution):
        at = [part / whole for part, whole in positions]
    else:
        at = [share(part, whole) for part, whole in positions]
    found = frozen.ppf(at)
    return array("q", map(int, found.tolist())) if is_whole else array("d", found.tolist())


def check(distribution: Distribution) -> None:
    """Raises what `values` would raise, drawing nothing."""
    _frozen(distribution)


def _frozen(distribution: Distribution) -> tuple[Any, bool]:
    """scipy's distribution with its parameters, and whether it draws whole numbers."""
    match distribution:
        case Gamma(shape, scale):
            return _stats().gamma(shape, scale=scale), False
        case Beta(a, b, low, high):
            return _stats().beta(a, b, loc=low, scale=high - low), False
        case Scipy(name, parameters):
            return _named(name, parameters)
    raise TypeError(f"scipy does not draw {distribution}")


def _named(name: str, parameters: Mapping[str, float]) -> tuple[Any, bool]:
    stats = _stats()
    family: Any = getattr(stats, name, None)
    is_whole = isinstance(family, stats.rv_discrete)
    if not is_whole and not isinstance(family, stats.rv_continuous):
        raise Misfit(f'scipy.stats has no distribution "{name}"', _nearest(name, _names(stats)), "name")
    shapes = [shape.strip() for shape in family.shapes.split(",")] if family.shapes else []
    known = [*shapes, "loc"] if is_whole else [*shapes, "loc", "scale"]
    for key in parameters:
        if key not in known:
            raise Misfit(f'scipy\'s {name} has no "{key}"', f"it has {', '.join(known)}", key)
    missing = [shape for shape in shapes if shape not in parameters]
    if missing:
        raise Misfit(f'scipy\'s {name} needs "{missing[0]}"', f"its parameters: {', '.join(known)}")
    frozen = family(**parameters)
    if not _is_possible(frozen):
        given = ", ".join(f"{key}: {value:g}" for key, value in parameters.items())
        raise Misfit(f"there is no {name} with {given}", "scipy's documentation says what is possible")
    return frozen, is_whole


def _is_possible(frozen: Any) -> bool:
    """Impossible parameters give a support that is no number. A value of some takes seconds, so none is drawn."""
    low = float(frozen.support()[0])
    return low == low


@cache
def _names(stats: Any) -> tuple[str, ...]:
    kinds = (stats.rv_continuous, stats.rv_discrete)
    return tuple(name for name in dir(stats) if isinstance(getattr(stats, name), kinds))


def _nearest(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name.lower(), list(known), n=1, cutoff=0.6)
    if close:
        return f'did you mean "{close[0]}"?'
    return "names are those of scipy.stats, such as gumbel_r, rice or vonmises"
