"""Studies as files: what went into one, and what came out of it. The JSON forms first; the text is made of them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .paint import Paint
from .words import bytes_in_words, count

if TYPE_CHECKING:
    from ...compile.study_archive import Manifest
    from ...run.exporting import Exported
    from ...run.importing import Imported

Form = Mapping[str, Any]

LARGE = 100_000_000
"""Bytes of inputs from which on it is said that they can stay at home."""
_SHOWN = 20


# ── for programs ─────────────────────────────────────────────────────────────────────────────
def exported_form(exported: Exported) -> dict[str, Any]:
    return {
        "file": str(exported.path),
        "sha256": exported.sha256,
        "size": exported.size,
        **_contents(exported.manifest),
        "absent": [absent.to_json() for absent in exported.manifest.absent],
    }


def imported_form(imported: Imported) -> dict[str, Any]:
    """`new`: attempts that were not recorded here before; `missing`: what the study reads and is not here."""
    return {
        "directory": str(imported.home),
        "spec": str(imported.spec),
        **_contents(imported.manifest),
        "new": imported.new,
        "differing": list(imported.differing),
        "replaced": imported.replaced,
        "missing": [absent.to_json() for absent in imported.missing],
    }


def _contents(manifest: Manifest) -> dict[str, Any]:
    return {
        "study": manifest.study,
        "outcomes": manifest.outcomes,
        "objects": len(list(manifest.of("object"))),
        "plans": len(list(manifest.of("plan"))),
        "files": len(list(manifest.files)),
        "inputs": sum(member.size for member in manifest.of("input")),
    }


# ── for people ───────────────────────────────────────────────────────────────────────────────
def exported(form: Form, paint: Paint) -> Iterator[str]:
    yield f"wrote {form['study']} to {form['file']}: {_told(form)}, {bytes_in_words(form['size'])}"
    if form["inputs"] >= LARGE:
        yield f"{bytes_in_words(form['inputs'])} of it are inputs; --no-inputs leaves them out"
    if form["absent"]:
        yield ""
        yield paint.yellow("not in it:")
        yield from _listed([_absent(one) for one in form["absent"]])


def imported(form: Form, paint: Paint) -> Iterator[str]:
    where = "here" if form["directory"] == "." else f"in {form['directory']}"
    yield f"{form['study']} is {where}: {_told(form, form['new'])}"
    if form["differing"]:
        yield ""
        what = (
            "replaced:"
            if form["replaced"]
            else "left as they are, other than inside (--force replaces them):"
        )
        yield paint.yellow(what)
        yield from _listed(form["differing"])
    if form["missing"]:
        yield ""
        yield paint.yellow("missing:")
        yield from _listed([_absent(one) for one in form["missing"]])
    yield ""
    yield f"next: `cloudburst status {shlex.quote(form['spec'])}`"


def _told(form: Form, new: int | None = None) -> str:
    """`4 files, 12 recorded attempts (3 of them new here), 1 plan`."""
    some = "" if new in (None, form["outcomes"]) else f" ({new:,} of them new here)"
    kinds = (
        (form["files"], "file", "files", ""),
        (form["outcomes"], "recorded attempt", "recorded attempts", some),
        (form["objects"], "series or returned file", "series and returned files", ""),
        (form["plans"], "plan", "plans", ""),
    )
    return ", ".join(count(number, one, more) + after for number, one, more, after in kinds if number)


def _absent(one: Form) -> str:
    """`data/city.inp, 1.2 GB (sha256 ab12…): it was left out on purpose`."""
    if one["role"] == "object":
        return f"what a job returned (sha256 {one['sha256']}): {one['why']}"
    size = "" if one["size"] is None else f", {bytes_in_words(one['size'])}"
    return f"{one['path']}{size} (sha256 {one['sha256']}): {one['why']}"


def _listed(lines: Sequence[str]) -> Iterator[str]:
    yield from (f"  {line}" for line in lines[:_SHOWN])
    if len(lines) > _SHOWN:
        yield f"  … and {len(lines) - _SHOWN:,} more (--json has all)"
