"""A study as one JSON document from which any row can be expanded anywhere: `ensemble.json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import CloudBurstError
from .draws import Draws
from .jobs import Jobs, make_jobs
from .space import make_space

FORMAT = 1


def freeze(
    normal: Mapping[str, Any],
    draws: Draws,
    inputs: Mapping[str, str],
    files: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The spec in normal form, its drawn samples and the sha256 of its inputs, by name, as JSON.

    With `files`, the sha256 by path of those that are values. Key order has meaning: write it as it is.
    """
    valued = {"files": dict(files)} if files else {}
    return {
        "format": FORMAT,
        "normal": dict(normal),
        "draws": draws.to_json(),
        "inputs": dict(inputs),
        **valued,
    }


def thaw(frozen: Mapping[str, Any]) -> Jobs:
    """The jobs of a frozen study: equal in every id, row and argument to those it was made from.

    Raises `CloudBurstError` for a document of another format.
    """
    if frozen.get("format") != FORMAT:
        raise CloudBurstError(
            f"this frozen study is of format {frozen.get('format')}; this version reads format {FORMAT}",
            "plan again with this version",
        )
    from ..spec import build

    ensemble = build(frozen["normal"])
    return make_jobs(
        ensemble,
        make_space(ensemble, Draws.from_json(frozen["draws"])),
        frozen["inputs"],
        frozen.get("files", {}),
    )
