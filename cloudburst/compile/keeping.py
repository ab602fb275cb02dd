"""Which rows of a sample stay when it is edited: the laws of its method, for the plan to say.

The words belong to what `designs` and `correlation` do; tests/properties/test_samples.py holds them to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..spec.ensemble import Block, Ensemble, Method, Sample
from .distributions import needs_library

_OF_A_METHOD: Mapping[Method, str] = {
    "random": "a larger n keeps these rows, and a new parameter changes no other's values",
    "lhs": "n doubled, once or more often, keeps these rows, any other larger n changes them all; a new parameter changes no other's values",
    "sobol": "a larger n keeps these rows; a new parameter changes others' values unless it is written last",
    "halton": "a larger n keeps these rows; a new parameter changes others' values unless it is written last",
    "saltelli": "a larger n keeps these rows; other parameters, groups or another second_order change them all",
    "morris": "more trajectories keep these rows; other parameters, groups or levels change them all",
}
_CORRELATED = "another n, other parameters or other correlations change all correlated values"


def law(sample: Sample) -> str:
    """What an edit of the sample changes."""
    return _CORRELATED if sample.correlate else _OF_A_METHOD[sample.method]


def sample_forms(ensemble: Ensemble, libraries: Mapping[str, str]) -> list[dict[str, Any]]:
    """Each sample as schemas/plan.schema.json says; `libraries` are the versions of what drew."""
    return [_form(block, sample, libraries) for block in ensemble.blocks for sample in block.samples]


def _form(block: Block, sample: Sample, libraries: Mapping[str, str]) -> dict[str, Any]:
    by_library = any(needs_library(draw.distribution) for draw in sample.draws)
    return {
        "block": block.name,
        "method": sample.method,
        "n": sample.n,
        "points": sample.count,
        "law": law(sample),
        "drawn_by": dict(libraries) if by_library else {},
    }
