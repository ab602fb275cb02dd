"""Which point of its design a draw is: a stratum, a dimension, a matrix, a move. Sentences over what `designs` computes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cached_property

from ..spec.ensemble import Choice, Distribution, Method, Sample, Scipy
from .correlation import groups
from .samplers import Drawn, Numbers

MOST_ARRANGED = 100_000
"""Points of a correlated sample for which an order that does not travel is computed again, only to be told."""


def drawn_from(sample: Sample, study_seed: int, drawn: Drawn, number: int) -> dict[str, str]:
    """Of every component of the sample the rule of its draw in point `number`, from 0."""
    point = _Point(sample, study_seed, drawn, number)
    return {key: point.rule(key, draw.distribution) for draw in sample.draws for key in draw.components}


class _Point:
    """One point of a sample, all its components."""

    def __init__(self, sample: Sample, study_seed: int, drawn: Drawn, number: int) -> None:
        self.sample, self.number = sample, number
        self._drawn = drawn
        self._numbers = Numbers(sample, study_seed, drawn)
        self._keys = [key for draw in sample.draws for key in draw.components]
        self._dimensions = {key: place for place, key in enumerate(self._keys, start=1)}
        together = groups([draw.name for draw in sample.draws], sample.correlate)
        self._correlated = {name: group for group in together for name in group}

    def rule(self, key: str, distribution: Distribution) -> str:
        """`LHS draw 12 of 200, stratum 17; uniform {min: 80, max: 140} at quantile 0.0834`."""
        words = f"{_RULES[self.sample.method](self, key)}; {in_words(distribution)}"
        if self._can_be_told(key):
            part, whole = self.place(key)
            words += f" at quantile {part / whole:.4g}"
        if key in self._correlated:
            words += f"; {self._arranged(key)}"
        return words

    def place(self, key: str, number: int | None = None) -> tuple[int, int]:
        """(part, whole) of a component, here or in another point."""
        return self._numbers.positions[key](self.number if number is None else number)

    def _can_be_told(self, key: str) -> bool:
        return key not in self._correlated or key in self._drawn.orders or self.sample.count <= MOST_ARRANGED

    def _arranged(self, key: str) -> str:
        """Correlation puts a column into another order: which draw's place this one has."""
        others = ", ".join(name for name in self._correlated[key] if name != key)
        words = f"rank rearranged to correlate with {others}"
        if not self._can_be_told(key):
            return words
        order = self._drawn.orders.get(key) or self._numbers.orders[key]
        place = order[self.number]
        return f"{words}: {'stays in its place' if place == self.number else f'moved here from draw {place + 1:,}'}"

    # ── the methods ──────────────────────────────────────────────────────────────────────────
    @property
    def of_all(self) -> str:
        return f"{self.number + 1:,} of {self.sample.n:,}"

    def random(self, _key: str) -> str:
        return f"random draw {self.of_all}"

    def lhs(self, key: str) -> str:
        if not self._can_be_told(key):
            return f"LHS draw {self.of_all}"
        part, whole = self.place(key)
        return f"LHS stratum {part * self.sample.n // whole + 1:,} of {self.sample.n:,}, draw {self.number + 1:,}"

    def sobol(self, key: str) -> str:
        return f"Sobol' point {self.of_all}, dimension {self._dimensions[key]}"

    def halton(self, key: str) -> str:
        return f"Halton point {self.of_all}, dimension {self._dimensions[key]}"

    def saltelli(self, key: str) -> str:
        """Its column here is that of A exactly where it stands as in the first point of the base sample."""
        width, factors = self.sample.steps_of_a_base, self._factors
        base, turn = divmod(self.number, width)
        matrix = "A"
        if turn == width - 1:
            matrix = "B"
        elif turn > len(factors):
            matrix = f"BA for {factors[turn - 1 - len(factors)]}"
        elif turn:
            matrix = f"AB for {factors[turn - 1]}"
        own = "A" if self.place(key) == self.place(key, base * width) else "B"
        return f"saltelli: matrix {matrix}, here {own}'s; base sample {base + 1:,} of {self.sample.n:,}"

    def morris(self, _key: str) -> str:
        moves = len(self._factors)
        trajectory, step = divmod(self.number, moves + 1)
        opening = f"Morris trajectory {trajectory + 1:,} of {self.sample.n:,}"
        if step == 0:
            return f"{opening}, its start"
        return f"{opening}, move {step:,} of {moves:,} ({self._moved})"

    @cached_property
    def _moved(self) -> str:
        """`demand +Δ`: what stands elsewhere than in the point before."""
        found = []
        for key in self._keys:
            (part, _), (earlier, _) = self.place(key), self.place(key, self.number - 1)
            if part != earlier:
                found.append(f"{key} {'+' if part > earlier else '−'}Δ")
        return ", ".join(found[:3]) + (f" and {len(found) - 3:,} more" if len(found) > 3 else "")

    @cached_property
    def _factors(self) -> list[str]:
        """What moves as one: the names of components, and of groups."""
        group_of = {
            name: group for group, names in self.sample.options.get("groups", {}).items() for name in names
        }
        owners = [draw.name for draw in self.sample.draws for _ in draw.components]
        firsts = [places[0] for places in self.sample.factors]
        return [
            f"group {group_of[owners[place]]}" if owners[place] in group_of else self._keys[place]
            for place in firsts
        ]


_RULES: Mapping[Method, Callable[[_Point, str], str]] = {
    "random": _Point.random,
    "lhs": _Point.lhs,
    "sobol": _Point.sobol,
    "halton": _Point.halton,
    "saltelli": _Point.saltelli,
    "morris": _Point.morris,
}


# ── distributions ────────────────────────────────────────────────────────────────────────────
_KEYS = {"low": "min", "high": "max"}
"""What the file says for a field."""


def in_words(distribution: Distribution) -> str:
    """As the file has it, by name: `uniform {min: 80, max: 140}`, `choice of 3`."""
    if isinstance(distribution, Choice):
        weighted = ", weighted" if distribution.weights else ""
        return f"choice of {len(distribution.values):,}{weighted}"
    if isinstance(distribution, Scipy):
        given = {"name": distribution.name, **distribution.parameters}
    else:
        named = {one.name: getattr(distribution, one.name) for one in fields(distribution)}
        given = {_KEYS.get(name, name): value for name, value in named.items() if value is not None}
    return f"{type(distribution).__name__.lower()} {{{', '.join(f'{key}: {_short(value)}' for key, value in given.items())}}}"


def _short(value: object) -> str:
    """80.0 as 80: as it was written, most often."""
    return (
        str(int(value))
        if isinstance(value, float) and value.is_integer() and abs(value) < 1e15
        else str(value)
    )
