"""Studies whose dashboards are looked at."""

from __future__ import annotations

from dataclasses import replace

from compile.nouns import Uniform, axis, block, cases, ensemble, influx, replicates, sample

from cloudburst.spec.ensemble import Ensemble, InfluxSink


def sink(
    database: str = "waves", tags: tuple[str, ...] | None = None, start: str | None = None
) -> InfluxSink:
    """In the stack's own server."""
    return replace(influx(tags, start), database=database, url=None)


def plain() -> Ensemble:
    return ensemble(block(axis("demand", 0.8, 1.0)), results=[sink()])


def rich() -> Ensemble:
    """Every kind of parameter, and two databases."""
    return ensemble(
        block(
            axis("demand", 0.8, 1.0),
            axis("größe", "a", "b"),
            axis("id", 1, 2),
            axis("rule", "x", when="demand > 0.9"),
            sample("lhs", 5, leak=Uniform(0, 1), seconds=Uniform(0, 1)),
            replicates(3),
            fixed={"hours": 168, "begins": "2018-05-28"},
        ),
        block(
            cases({"demand": 2.0, "begins": "2017-01-01T06:00:00+06:00"}), fixed={"hours": 168}, name="more"
        ),
        results=[sink(start="begins"), sink("a $ more", tags=("demand", "hours"))],
    )


def bare() -> Ensemble:
    """Nothing to choose by."""
    return ensemble(block(fixed={"hours": 168}), results=[sink()])


STUDIES = {"plain": plain(), "rich": rich(), "bare": bare()}
