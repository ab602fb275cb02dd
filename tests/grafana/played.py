"""Grafana played: what it makes of a dashboard's variables and queries before InfluxDB sees them, and how the
datasource reads the answers. Each rule is documented behaviour of Grafana 11; nothing here knows CloudBurst.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Json = Mapping[str, Any]
Ask = Callable[[str], list[dict[str, Any]]]
"""InfluxQL -> the series of the answer."""

ALL = "$__all"

# "Variable syntax": `$name`, `${name}`, `${name:format}`, `[[name]]`.
_REFERENCE = re.compile(r"\$\{(\w+)(?:\.([^:}]+))?(?::(\w+))?\}|\$(\w+)|\[\[(\w+)\]\]", re.ASCII)


@dataclass(frozen=True)
class Chosen:
    """What a variable stands for. `verbatim`: a custom "all" value, which is put in as it is written
    ("Custom all value": not formatted, not escaped)."""

    values: tuple[str, ...]
    verbatim: bool = False


@dataclass
class PlayedGrafana:
    """One browser that has the dashboard open. `choose` before asking; `load` asks for the variables."""

    dashboard: Json
    ask: Ask
    options: dict[str, list[str]] = field(default_factory=dict)
    chosen: dict[str, list[str]] = field(default_factory=dict)
    begin: int = 0
    end: int = 0
    interval: str = "10m"

    def __post_init__(self) -> None:
        self.show(self.dashboard["time"]["from"], self.dashboard["time"]["to"])

    def show(self, begin: str, end: str) -> None:
        self.begin, self.end = (
            round(datetime.fromisoformat(text).timestamp() * 1000) for text in (begin, end)
        )

    def choose(self, name: str, *values: str) -> None:
        self.chosen[name] = list(values)

    # ── variables ────────────────────────────────────────────────────────────────────────────
    @property
    def variables(self) -> dict[str, Json]:
        return {one["name"]: one for one in self.dashboard["templating"]["list"]}

    def load(self) -> None:
        """All variables, each after those it refers to (here: in the order they are listed)."""
        for name, one in self.variables.items():
            self.options[name] = self._options(one)
            written = one.get("current", {}).get("value", [])
            kept = [written] if isinstance(written, str) else list(written)
            if all(value == ALL or value in self.options[name] for value in kept) and kept:
                self.chosen.setdefault(name, kept)
            elif self.options[name]:  # a value that is no option gives way to the first one
                self.chosen.setdefault(name, self.options[name][:1])

    def _options(self, one: Json) -> list[str]:
        if one["type"] == "custom":
            # "Custom variable": values with commas between, each as it is or as `text : value`.
            return [entry.rpartition(" : ")[2].strip() for entry in one["query"].split(",")]
        if one["type"] == "datasource":
            return [one["current"]["value"]]
        asked = self.fill(one["query"])
        found = list(dict.fromkeys(_values_found(asked, self.ask(asked))))
        if one.get("regex"):
            # "Filter variables with regex": what does not match is left out.
            pattern = re.compile(one["regex"].strip("/"))
            found = [value for value in found if pattern.match(value)]
        return sorted(found) if one["sort"] else found

    def _value(self, name: str, scoped: Mapping[str, str]) -> Chosen | None:
        if name in scoped:  # a repeated row's own variable goes before the dashboard's
            return Chosen((scoped[name],))
        if name not in self.variables:
            return None
        values = self.chosen.get(name, [""])  # a variable without options is an empty text
        if values != [ALL]:
            return Chosen(tuple(values))
        custom = self.variables[name].get("allValue")
        return Chosen((custom,), verbatim=True) if custom else Chosen(tuple(self.options[name]))

    # ── queries ──────────────────────────────────────────────────────────────────────────────
    def fill(self, text: str, scoped: Mapping[str, str] | None = None) -> str:
        """As the query is sent; a reference to nothing stays as it stands."""

        def filled(found: re.Match[str]) -> str:
            name = found[1] or found[4] or found[5]
            value = self._value(name, scoped or {})
            if value is None:
                return found[0]
            return value.values[0] if value.verbatim else formatted(value.values, found[3] or "text")

        filled_in = _REFERENCE.sub(filled, text)
        # The datasource's own macros, filled in by its backend.
        shown = f"time >= {self.begin}ms and time <= {self.end}ms"
        return filled_in.replace("$timeFilter", shown).replace("$__interval", self.interval)

    def rows(self) -> list[dict[str, str]]:
        """The scoped variables of each repetition of a repeated row: one for each chosen value."""
        name = next((p["repeat"] for p in self.dashboard["panels"] if p.get("repeat")), None)
        value = self._value(name, {}) if name else None
        return [{name: one} for one in value.values] if name and value else []

    def panel(self, title: str, scoped: Mapping[str, str] | None = None) -> list[list[dict[str, Any]]]:
        """The answers to a panel's queries; `title` as it is written in the dashboard."""
        return [self.ask(self.fill(target["query"], scoped)) for target in self._panel(title)["targets"]]

    def aliases(self, title: str, answers: Sequence[Iterable[Json]]) -> list[str]:
        """What each series of a panel's answers is called."""
        targets = self._panel(title)["targets"]
        pairs = zip(targets, answers, strict=True)
        return [aliased(target["alias"], series) for target, found in pairs for series in found]

    def _panel(self, title: str) -> Json:
        [found] = [panel for panel in self.dashboard["panels"] if panel["title"] == title]
        return dict(found)


def formatted(values: Sequence[str], form: str) -> str:
    """ "Advanced variable format options", those in use."""
    if form == "regex":
        # One value is only escaped; several become an alternative in brackets.
        escaped = [re.sub(r"[\\^$*+?.()|\[\]{}/]", r"\\\g<0>", value) for value in values]
        return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"
    if form == "doublequote":
        quoted = ['"' + value.replace('"', '\\"') + '"' for value in values]
        return ",".join(quoted)
    if form == "raw":
        return ",".join(values)
    assert form == "text", f"Grafana's format {form} is not played"
    return " + ".join(values)


def aliased(alias: str, series: Json) -> str:
    """ "Alias patterns" of the InfluxDB datasource: `$m`, `$tag_name`, `[[tag_name]]`; names are of `\\w` and `.`."""

    def named(found: re.Match[str]) -> str:
        pattern = found[1] or found[2]
        if pattern in ("m", "measurement"):
            return str(series["name"])
        tags = series.get("tags", {})
        key = pattern.removeprefix("tag_")
        return str(tags[key]) if pattern.startswith("tag_") and key in tags else found[0]

    return re.sub(r"\[\[([@/\w.-]+)\]\]|\$([@\w-]+)", named, alias, flags=re.ASCII)


def _values_found(asked: str, answer: Iterable[Json]) -> Iterable[str]:
    """Of SHOW TAG VALUES the second column, of every other answer the first."""
    column = 1 if "show tag values" in asked.lower() else 0
    return (str(row[column]) for series in answer for row in series["values"])
