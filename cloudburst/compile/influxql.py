"""What a study's dashboard asks InfluxDB, in InfluxQL with Grafana's variables in it.

`${x:regex}` and `${x:doublequote}` are Grafana's own formats, so that no name and no value can end the
text it stands in. `docs/adr/0014-a-dashboard-of-variables.md` says why the questions are as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .measurements import ATTEMPTS, ID, OUTPUTS, REPLICATE, STUDY

PERCENTILES = (5, 25, 50, 75, 95)
"""The outer two and the inner two are each a band."""
MOST_SERIES = 100
"""Jobs drawn one by one: more lines than that hide each other."""
MOST_ROWS = 1000
"""Jobs in a table."""
MOST_DOTS = 10_000
"""Jobs as numbers a browser is asked to draw."""

FIELD, OUTPUT, AGAINST = "${field:doublequote}", "${output:doublequote}", "${against:doublequote}"
_MEASUREMENT = "/^${measurement:regex}$/"
_NEGATED = '"negated value"'
"""No parameter and no output can have this name: it has a space, and theirs stand beside it quoted."""


@dataclass(frozen=True)
class Queries:
    """Every question of the dashboard. `choices` maps a tag to the variable that holds its chosen values;
    `replicated`: jobs have a replicate.

    Numbers are asked for as `::float`: of a text there is then no number, where InfluxDB would answer with
    an error.
    """

    study: str
    choices: Mapping[str, str]
    replicated: bool = False

    @property
    def where(self) -> str:
        """Of this study, and of the chosen values."""
        chosen = (f"{identifier(tag)} =~ /^${{{name}:regex}}$/" for tag, name in self.choices.items())
        return " AND ".join((f"{identifier(STUDY)} = {text(self.study)}", *chosen))

    # ── of the ensemble ──────────────────────────────────────────────────────────────────────
    def count_jobs(self) -> str:
        return self._of_outputs(f"count({identifier(ATTEMPTS)})")

    def count_repeated(self) -> str:
        return f"{self._of_outputs(f'count({identifier(ATTEMPTS)})')} AND {identifier(ATTEMPTS)} > 1"

    def seconds(self) -> str:
        return self._of_outputs('sum("seconds")')

    def jobs(self) -> str:
        return f"{self._of_outputs('*')} LIMIT {MOST_ROWS}"

    def values_of_output(self) -> str:
        return f"{self._of_outputs(f'{OUTPUT}::float')} LIMIT {MOST_DOTS}"

    def against(self) -> str:
        """A parameter that is no tag, and the chosen output, of each job."""
        return f"{self._of_outputs(f'{AGAINST}::float, {OUTPUT}::float')} LIMIT {MOST_DOTS}"

    def by_parameter(self, tag: str) -> str:
        """One line for each value of a parameter: how the chosen output is distributed there."""
        shares = (f'{_percentile(OUTPUT, share)} AS "{share} %"' for share in PERCENTILES)
        asked = ", ".join((f'count({OUTPUT}) AS "jobs"', *shares))
        numbers = self._of_outputs(f"{OUTPUT}::float, 0 - {OUTPUT}::float AS {_NEGATED}")
        return f"SELECT {asked} FROM ({numbers}) GROUP BY {identifier(tag)}"  # noqa: S608

    # ── of a series ──────────────────────────────────────────────────────────────────────────
    def first_moment(self) -> str:
        """Of each measurement with the chosen column, whatever range is shown."""
        return f"SELECT {FIELD}::float FROM {_MEASUREMENT} WHERE {self.where} LIMIT 1"  # noqa: S608

    def last_moment(self) -> str:
        return f"SELECT {FIELD}::float FROM {_MEASUREMENT} WHERE {self.where} ORDER BY time DESC LIMIT 1"  # noqa: S608

    def percentile(self, share: int) -> str:
        """Over the points of all jobs, in each interval of time. The range is the outer question's, which would
        otherwise end now; the inner one takes it over."""
        numbers = f"0 - {FIELD}::float AS {_NEGATED}" if share < 50 else f"{FIELD}::float"
        points = f"SELECT {numbers} FROM {_MEASUREMENT} WHERE {self.where}"  # noqa: S608
        return (
            f"SELECT {_percentile(FIELD, share)} FROM ({points})"  # noqa: S608
            " WHERE $timeFilter GROUP BY time($__interval) fill(none)"
        )

    def one_by_one(self) -> str:
        """Each named by its parameters, and therefore in their order: who are drawn is a lot, by their ids."""
        named = "".join(f", {identifier(tag)}" for tag in (ID, *self._names_a_job))
        lot = f"{identifier(ID)} =~ /^${{drawn:raw}}/"
        return (
            f"SELECT mean({FIELD}::float) FROM {_MEASUREMENT} WHERE {self.where} AND {lot} AND $timeFilter"  # noqa: S608
            f" GROUP BY time($__interval){named} fill(none) SLIMIT {MOST_SERIES}"
        )

    @property
    def alias(self) -> str:
        """What Grafana calls a line of `one_by_one`: it replaces `[[tag_…]]`, where the name is ASCII."""
        tags = [tag for tag in self._names_a_job if tag.isascii()]
        return " · ".join((*(f"{tag} [[tag_{tag}]]" for tag in tags), f"[[tag_{ID}]]"))

    @property
    def _names_a_job(self) -> tuple[str, ...]:
        return (*self.choices, REPLICATE) if self.replicated else tuple(self.choices)

    # ── what there is to choose from ─────────────────────────────────────────────────────────
    def measurements(self) -> str:
        return f"SHOW MEASUREMENTS WHERE {identifier(STUDY)} = {text(self.study)}"

    def fields(self) -> str:
        return f"SHOW FIELD KEYS FROM {_MEASUREMENT}"

    def outputs(self) -> str:
        return f"SHOW FIELD KEYS FROM {identifier(OUTPUTS)}"

    def values(self, tag: str) -> str:
        return (
            f"SHOW TAG VALUES FROM {identifier(OUTPUTS)} WITH KEY = {identifier(tag)}"
            f" WHERE {identifier(STUDY)} = {text(self.study)}"
        )

    def _of_outputs(self, asked: str) -> str:
        return f"SELECT {asked} FROM {identifier(OUTPUTS)} WHERE {self.where}"  # noqa: S608


def lots(jobs: int) -> tuple[dict[str, str], str]:
    """What share of the jobs may be drawn -> how their ids begin, each as a regular expression; and which of
    them draws no more than `MOST_SERIES` of so many jobs. Ids are hashes: whose begins with 0 is chance."""
    found = {"every job": "."}
    for power in range(1, 9):
        found[f"1 in {4**power}"] = "0" * (power // 2) + "[0-3]" * (power % 2)
    fits = (share for power, share in enumerate(found) if jobs <= MOST_SERIES * 4**power)
    return found, next(fits, f"1 in {4**8}")


def _percentile(value: str, share: int) -> str:
    """InfluxDB's nearest rank has no 5 % of fewer than ten values. Counted from above it always has one, and
    the low shares mirror the high ones."""
    if share < 50:
        return f"0 - percentile({_NEGATED}, {100 - share})"
    return f"percentile({value}, {share})"


def identifier(name: str) -> str:
    """A name as InfluxQL reads it."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"
