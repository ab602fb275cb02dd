"""The page people look at while a study runs: one view of the status as HTML, with nothing from elsewhere.

Whole without JavaScript; with it the page asks for itself again and changes what differs. Every
text in it may come from a user's program, so none becomes markup (markup.py), and the policy in
`HEADERS` would not run it if it did.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from .. import __version__
from .http import Reply, Text
from .markup import Html, join, raw, tag
from .results import first_line
from .study import Study
from .tallies import Alike, Counted, Failure, Tallies
from .words import count, duration, rate

_PAGES = Path(__file__).with_name("pages")
_STYLE = (_PAGES / "status.css").read_text("utf-8")
_SCRIPT = (_PAGES / "status.js").read_text("utf-8")

REFRESH = 5
"""Seconds between two loads of the page in a browser without JavaScript."""
MOST_FREQUENT = 8
NODES = 200
"""Shown at most; those that need a look come first."""

LINKS = {"grafana": "Grafana", "queue": "Queue", "visualizer": "Visualizer"}
"""Other pages of the stack, beside this one: path and what people call it."""

_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Cg fill='none' stroke='%231c8a55' stroke-width='2' stroke-linecap='round'%3E"
    "%3Cpath d='M8 1v4M8 11v4M1 8h4M11 8h4M3 3l3 3M10 10l3 3M13 3l-3 3M6 10l-3 3'/%3E%3C/g%3E%3C/svg%3E"
)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src {_hash(_STYLE)}; script-src {_hash(_SCRIPT)}; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class Sight:
    """What is known at one moment. `study` is empty while there is none; `began` and `now` in seconds
    since the epoch; `links` are keys of LINKS."""

    study: str
    began: float | None
    now: float
    status: Mapping[str, Any]
    counted: Counted
    links: Sequence[str] = ()


class Watched(Protocol):
    """The controller, as far as it is looked at; each from any thread."""

    @property
    def study(self) -> Study | None: ...
    @property
    def status(self) -> Mapping[str, Any]: ...
    @property
    def tallies(self) -> Tallies: ...
    @property
    def links(self) -> Sequence[str]: ...


def look(controller: Watched) -> Sight:
    """From any thread."""
    study = controller.study
    return Sight(
        study.name if study else "",
        study.began if study else None,
        time.time(),
        controller.status,
        controller.tallies.counted(),
        controller.links,
    )


def answer_page(controller: Watched) -> Reply:
    return Reply(text=Text(make_page(look(controller)), "text/html; charset=utf-8"), headers=HEADERS)


def make_page(sight: Sight) -> str:
    """The whole page, to be sent with HEADERS."""
    body = (
        tag("a", "Skip to the progress", class_="skip", href="#progress"),
        _header(sight),
        _silence(),
        _main(sight),
        _footer(sight),
        tag("script", raw(_SCRIPT)),
    )
    page = tag("html", _head(sight), tag("body", *body), lang="en")
    return f"<!doctype html>\n{page}\n"


def _head(sight: Sight) -> Html:
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("title", _title(sight)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="robots", content="noindex"),
        tag("link", rel="icon", href=_ICON),
        tag("noscript", tag("meta", http_equiv="refresh", content=REFRESH)),
        tag("style", raw(_STYLE)),
    )


def _title(sight: Sight) -> str:
    if not sight.study:
        return "CloudBurst: no study yet"
    return f"{_percent(sight.status)} {sight.study}: {sight.status['state']}"


def _header(sight: Sight) -> Html:
    state = sight.status["state"]
    return tag(
        "header",
        tag("h1", sight.study or "CloudBurst"),
        tag("span", state, class_=f"state {state}", role="status", aria_live="polite"),
        _links(sight.links),
    )


def _links(names: Sequence[str]) -> Html | None:
    found = [tag("a", LINKS[name], href=f"{name}/") for name in names if name in LINKS]
    return tag("nav", *found, aria_label="Other pages of this study") if found else None


def _silence() -> Html:
    """Filled by the script when the controller does not answer."""
    return tag("div", tag("span", role="alert"), tag("span"), class_="silence", id="silence", hidden=True)


def _main(sight: Sight) -> Html:
    """The first part is always there: a reader is told only of what changes inside a place it knows."""
    wrong = tag("div", _reason(sight), _problems(sight), class_="notices", id="notices", aria_live="polite")
    parts = (_progress, _facts, _nodes, _failures, _sinks)
    return tag("main", wrong, *(part(sight) for part in parts), id="main")


# ── what is wrong ────────────────────────────────────────────────────────────────────────────
def _reason(sight: Sight) -> Html | None:
    reason = sight.status["reason"]
    if not reason:
        return None
    return tag("p", reason, class_=f"reason of-{sight.status['state']}", id="reason")


def _problems(sight: Sight) -> Html | None:
    found = sight.status["problems"]
    if not found:
        return None
    return tag(
        "section",
        tag("h2", "Needs a look"),
        tag("ul", *(tag("li", problem) for problem in found)),
        class_="problems",
        id="problems",
    )


# ── how far it is ────────────────────────────────────────────────────────────────────────────
def _ended(status: Mapping[str, Any]) -> int:
    return int(status["recorded"] + status["done"] + status["failed"])


def _percent(status: Mapping[str, Any]) -> str:
    """Rounded down: 100 % is said when everything has ended, not before."""
    share = 100 * _ended(status) / status["jobs"] if status["jobs"] else 0.0
    if share < 10 and share != int(share):
        return f"{int(share * 10) / 10:.1f} %"
    return f"{int(share)} %"


def _progress(sight: Sight) -> Html:
    status = sight.status
    if status["state"] == "idle":
        text = join("No study yet. ", tag("code", "cloudburst apply"), " sends one.")
        return tag("section", tag("p", text, class_="nothing"), class_="card", id="progress")
    ended = _ended(status)
    return tag(
        "section",
        tag("h2", "Progress", class_="unseen"),
        tag(
            "p",
            tag("span", _percent(status), class_="percent"),
            tag(
                "span", f"{ended:,} of {count(status['jobs'], 'job')}" if status["jobs"] else "getting ready"
            ),
            class_="far",
        ),
        tag(
            "progress",
            _percent(status),
            class_="unseen",
            value=ended,
            max=max(status["jobs"], 1),
            aria_label="jobs that ended",
        ),
        _bar(status),
        _counts(status),
        class_="card",
        id="progress",
    )


_SHARES = (("recorded", "earlier"), ("done", "done"), ("failed", "failed"), ("running", "running"))


def _bar(status: Mapping[str, Any]) -> Html:
    """Drawn in thousandths of the jobs; the `progress` beside it is what is read out."""
    parts, start = [], 0.0
    for key, name in _SHARES:
        width = 1000 * status[key] / max(status["jobs"], 1)
        parts.append(tag("rect", class_=name, x=round(start, 2), y=0, width=round(width, 2), height=12))
        start += width
    return tag(
        "svg", *parts, class_="bar", viewBox="0 0 1000 12", preserveAspectRatio="none", aria_hidden="true"
    )


def _counts(status: Mapping[str, Any]) -> Html:
    not_sent = status["to_do"] - status["running"] - status["queued"]
    rows = (
        ("earlier", "recorded before", status["recorded"]),
        ("done", "done", status["done"]),
        ("failed", "failed", status["failed"]),
        ("running", "running", status["running"]),
        ("queued", "in the queue", status["queued"]),
        ("to-do", "not sent yet", max(0, not_sent)),
    )
    shown = (row for row in rows if row[2] or row[0] in ("done", "failed", "running"))
    return tag(
        "dl",
        *(tag("div", tag("dt", name), tag("dd", f"{n:,}"), class_=key) for key, name, n in shown),
        class_="counts",
    )


def _facts(sight: Sight) -> Html | None:
    status = sight.status
    if sight.began is None or status["state"] == "idle":
        return None
    spark = tag(
        "svg",
        tag("path"),
        class_="sparkline",
        viewBox="0 0 100 30",
        preserveAspectRatio="none",
        aria_hidden="true",
        data_mine=True,
    )
    left = status["seconds_left"]
    over = status["state"] == "finished"
    ended = (status["done"] + status["failed"]) / max(status["seconds"], 1e-3)
    pace = ended if over else status["rate"]
    said = tag("data", rate(pace) if pace else "–", value=pace, id="rate")
    slots = status["slots"]
    facts: tuple[tuple[str, Html | str, Html | None], ...] = (
        ("Jobs ended" if over else "Jobs end", said, spark),
        ("Time left", "none" if over else "–" if left is None else duration(left), None),
        ("Took" if over else "Running for", duration(status["seconds"]), None),
        ("Started", _moment(sight.began), None),
        ("Slots busy", f"{slots['busy']:,} of {slots['total']:,}", None),
    )
    return tag(
        "dl",
        *(tag("div", tag("dt", name), tag("dd", value, more)) for name, value, more in facts),
        class_="facts",
    )


def _moment(seconds: float) -> Html:
    at = datetime.fromtimestamp(seconds, UTC)
    return tag("time", at.strftime("%Y-%m-%d %H:%M:%S UTC"), datetime=at.isoformat(timespec="seconds"))


# ── who works ────────────────────────────────────────────────────────────────────────────────
_ATTENTION = ("broken", "clock", "leaving", "preparing", "waiting", "ready")
"""Node states, those that need a look first."""


def _nodes(sight: Sight) -> Html | None:
    nodes = sight.status["nodes"]
    if sight.status["state"] == "idle" and not nodes:
        return None
    if not nodes:
        return _card("nodes", tag("h2", "Nodes"), tag("p", "No node reports.", class_="nothing"))
    ordered = sorted(nodes, key=lambda node: (_attention(node), str(node["node"])))
    states = Counter(str(node["state"]) for node in nodes)
    said = ", ".join(f"{number:,} {state}" for state, number in sorted(states.items()))
    hidden = f"; {len(nodes) - NODES:,} more are not shown" if len(nodes) > NODES else ""
    return _card(
        "nodes",
        _table(
            "Nodes",
            said + hidden,
            (
                ("Node", ""),
                ("State", ""),
                ("Slots busy", ""),
                ("Clock", "number"),
                ("Version", "number wide"),
            ),
            [_node(node) for node in ordered[:NODES]],
        ),
    )


def _attention(node: Mapping[str, Any]) -> int:
    state = node["state"]
    return _ATTENTION.index(state) if state in _ATTENTION else 0


def _node(node: Mapping[str, Any]) -> Html:
    detail = first_line(str(node.get("detail") or ""))
    state = str(node["state"])
    known = state if state in _ATTENTION else ""
    busy, slots = node.get("busy") or 0, node.get("slots") or 0
    return tag(
        "tr",
        tag("th", str(node["node"]), tag("small", detail) if detail else None, scope="row"),
        tag("td", tag("span", state, class_=f"state {known}")),
        tag("td", _meter(busy, slots), f"{busy}\u00a0of\u00a0{slots}"),
        tag("td", _clock(node.get("clock")), class_="number"),
        tag("td", str(node.get("version") or ""), class_="number wide"),
    )


def _meter(busy: int, slots: int) -> Html:
    width = round(100 * min(busy, slots) / slots, 1) if slots else 0
    return tag(
        "svg",
        tag("rect", x=0, y=0, width=width, height=7),
        class_="slots",
        viewBox="0 0 100 7",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def _clock(ahead: Any) -> str:
    """How far a node's clock is from the queue's."""
    if not isinstance(ahead, int | float):
        return "–"
    if abs(ahead) < 0.5:
        return "in step"
    return f"{duration(abs(ahead))} {'ahead' if ahead > 0 else 'behind'}"


# ── what went wrong ──────────────────────────────────────────────────────────────────────────
def _failures(sight: Sight) -> Html | None:
    """Of the attempts that ended while this controller watched."""
    counted = sight.counted
    if not counted.failures:
        return _failed_before(sight.status["failed"])
    return tag(
        "div",
        _card(
            "frequent",
            _table(
                "Most frequent errors",
                f"{count(counted.failures, 'attempt')} failed; lines that differ in numbers count as one",
                (("Times", "number"), ("First line", "")),
                [_alike(one) for one in counted.alike[:MOST_FREQUENT]],
            ),
            _commands(),
        ),
        _card(
            "latest",
            _table(
                "Latest failures",
                "the last one first",
                (("Job", ""), ("How it ended", "")),
                [_failure(one) for one in counted.latest],
            ),
        ),
        class_="two",
    )


def _failed_before(failed: int) -> Html | None:
    if not failed:
        return None
    said = f"{count(failed, 'job')} failed before this controller was started."
    return _card("frequent", tag("h2", "Failures"), tag("p", said, class_="nothing"), _commands())


def _commands() -> Html:
    return tag(
        "p",
        tag("code", "cloudburst failures"),
        " lists them with their parameters, ",
        tag("code", "cloudburst logs JOB"),
        " shows one.",
        class_="hint",
    )


def _alike(one: Alike) -> Html:
    example = join("such as ", tag("code", one.latest.id[:8]), f" (row {one.latest.row})")
    times = f"{'at most ' if one.at_most else ''}{one.count:,}"
    return tag(
        "tr",
        tag("td", times, class_="number"),
        tag("td", one.latest.line, tag("small", example), class_="line"),
    )


def _failure(one: Failure) -> Html:
    what = join(
        f"{one.kind}, row {one.row}, attempt {one.attempt}",
        f", on {one.worker}" if one.worker else "",
        ", ",
        _moment(one.at),
    )
    return tag(
        "tr", tag("td", tag("code", one.id[:8])), tag("td", one.line, tag("small", what), class_="line")
    )


# ── where results go ─────────────────────────────────────────────────────────────────────────
def _sinks(sight: Sight) -> Html | None:
    sinks = sight.status.get("sinks") or ()
    if not sinks:
        return None
    head = (("Sink", ""), ("Points stored", "number"), ("Waiting", "number"))
    return _card(
        "sinks",
        _table("Results on their way", "to servers that the file names", head, [_sink(one) for one in sinks]),
    )


def _sink(one: Mapping[str, Any]) -> Html:
    problem = tag("small", str(one["problem"])) if one.get("problem") else None
    return tag(
        "tr",
        tag("th", str(one["sink"]), problem, scope="row"),
        tag("td", f"{one['points']:,}", class_="number"),
        tag("td", f"{one['waiting']:,}", class_="number"),
    )


# ── pieces ───────────────────────────────────────────────────────────────────────────────────
def _card(name: str, *content: Html) -> Html:
    return tag("section", *content, class_="card", id=name)


def _table(title: str, caption: str, head: Sequence[tuple[str, str]], rows: Sequence[Html]) -> Html:
    """`head`: each column's title and class."""
    columns = [tag("th", name, scope="col", class_=kind or None) for name, kind in head]
    return tag(
        "table",
        tag("caption", tag("b", title), " ", caption),
        tag("thead", tag("tr", *columns)),
        tag("tbody", *rows),
    )


def _footer(sight: Sight) -> Html:
    return tag(
        "footer",
        tag("span", "As of ", _moment(sight.now)),
        tag("a", "metrics", href="metrics"),
        tag("a", "status as JSON", href="api/status"),
        tag("span", f"CloudBurst {__version__}"),
    )
