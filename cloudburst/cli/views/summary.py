"""How an `apply` ended, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import failures
from .paint import Paint
from .words import count, duration

SHOWN = 5
"""Failures listed; `cloudburst failures` has them all."""


def lines(
    summary: Mapping[str, Any],
    failed: Sequence[Mapping[str, Any]],
    *,
    file: str,
    width: int,
    paint: Paint,
    billed: str = "",
) -> list[str]:
    """`failed` are the failures there are now (`views.failures.failure`), of this run and of earlier ones;
    `file` as given after a command, empty for the default; `billed` says until when machines are that stand
    when the command ends (empty: nobody is paid for them)."""
    text = [*_ending({**summary, "failed_before": max(0, len(failed) - summary["failed"])}, paint)]
    if failed:
        text += ["", *failures.table(failed[:SHOWN], width=width, paint=paint)]
        if len(failed) > SHOWN:
            text.append(f"… and {len(failed) - SHOWN:,} more: `cloudburst failures{file}`")
    text += ["", *(f"table: {path}" for path in summary["tables"])]
    if billed and summary["state"] != "nothing to do":
        text.append(paint.yellow(f"its machines stand, and are billed {billed}"))
    return [*text, *_next(summary, failed, file)]


def _ending(summary: Mapping[str, Any], paint: Paint) -> list[str]:
    state, before = summary["state"], _before(summary)
    if state == "nothing to do":
        if not summary["failed_before"]:
            return [paint.green(f"Nothing to do: {count(summary['recorded'], 'job')} done before.")]
        failed = count(summary["failed_before"], "job")
        return [paint.yellow(f"Nothing to do: {summary['recorded']:,} done before, {failed} failed before.")]
    took = f"in {duration(summary['seconds'])}"
    if state == "finished" and not summary["failed"]:
        return [paint.green(f"Done: {count(summary['done'], 'job')} {took}.{before}")]
    if state == "finished":
        return [
            paint.yellow(f"Finished: {summary['done']:,} done, {summary['failed']:,} failed, {took}.{before}")
        ]
    counts = (
        f"{summary['done']:,} done, {summary['failed']:,} failed, {summary['to_do']:,} to do, {took}.{before}"
    )
    if state == "let go":
        return [paint.yellow("The study goes on without this command."), counts]
    if state == "paused":
        return [paint.red(f"Paused: {summary['reason']}"), counts]
    return [paint.yellow(f"Stopped: {counts}")]


def _before(summary: Mapping[str, Any]) -> str:
    parts = [
        f"{summary[key]:,} {word}"
        for key, word in (("recorded", "done"), ("failed_before", "failed"))
        if summary[key]
    ]
    return f" Before: {', '.join(parts)}." if parts else ""


def _next(summary: Mapping[str, Any], failed: Sequence[Mapping[str, Any]], file: str) -> list[str]:
    """Commands that make sense now."""
    steps = []
    option = f" -f{file}" if file else ""
    if summary["state"] in ("stopped", "paused"):
        steps.append(f"`cloudburst apply{file}` goes on")
    if summary["state"] == "let go":
        steps += [f"`cloudburst watch{file}` comes back", f"`cloudburst cancel{file}` stops it"]
    if failed:
        steps.append(f"`cloudburst logs {failed[0]['id'][: failures.ID_DIGITS]}{option}` shows one")
        steps.append(f"`cloudburst retry{option}` computes them again")
    return [f"next: {' · '.join(steps)}"] if steps else []
