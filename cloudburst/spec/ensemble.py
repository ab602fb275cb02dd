"""The nouns: what the user means, frozen. Made by `build`, read by everybody to the right.

`path` on a noun is where the user wrote it, so that a later room can still say where a mistake is.
Paths of a single unnamed block start with `parameters`, of a listed block with `parameters[i]`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from ..diagnostics import Path

Scalar = str | int | float | bool | None
Value = Scalar | list[Any] | dict[str, Any]
"""What a parameter can be: JSON. Plain lists and maps inside cases, fixed and tables are values."""


# ── parameter sources ────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Listed:
    """Values as written."""

    values: tuple[Value, ...]


@dataclass(frozen=True)
class Files(Listed):
    """`{glob: …}`: the paths of files, sorted; relative to the spec unless `pattern` is not."""

    pattern: str = ""


@dataclass(frozen=True)
class Stepped:
    """`{from, to, step}`: both ends included, exact decimals; checked to land on `to`."""

    start: int | float
    stop: int | float
    step: int | float


@dataclass(frozen=True)
class Counted:
    """`{from, to, count, scale}`: `count` values, both ends included."""

    start: int | float
    stop: int | float
    count: int
    scale: Literal["linear", "log"] = "linear"


Bound = int | float | str
"""A number, or a bare expression that gives one."""


@dataclass(frozen=True)
class Bounded:
    """A range of which some bound is an expression over `fixed` and the sources above it.

    `{from, to, step}` or `{from, to, count, scale}`: exactly one of `step` and `count` is given.
    """

    start: Bound
    stop: Bound
    step: Bound | None = None
    count: int | None = None
    scale: Literal["linear", "log"] = "linear"


Known = Listed | Stepped | Counted
"""Values that are the same in every row."""

Values = Known | Bounded


@dataclass(frozen=True)
class Was:
    """What every row had before there was the parameter."""

    value: Value


@dataclass(frozen=True)
class Axis:
    """One key of `grid` (or of a zip group). With `when`, the parameter is absent where it is false.

    `unit` is shown and is no part of any job. A row that has the value of `was` is the job it was before.
    """

    name: str
    values: Values
    path: Path
    when: str | None = None
    unit: str | None = None
    was: Was | None = None


@dataclass(frozen=True)
class Zip:
    """One group of `zip`: axes of equal length that walk together."""

    axes: tuple[Axis, ...]
    path: Path


@dataclass(frozen=True)
class Cases:
    """`cases`: rows as written; a row may lack a name another one has (absent there)."""

    rows: tuple[Mapping[str, Value], ...]
    path: Path


@dataclass(frozen=True)
class Table:
    """`table`, already read: `rows` in file order after `columns` and `types`; a blank cell is absent.

    `where` is not applied yet (expressions are the next room's); `lines[i]` is the line of the
    table's file (of Parquet and Excel: its row) that row i stands on; `sha256` is of the file's bytes.
    """

    file: str
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, Value], ...]
    lines: tuple[int, ...]
    sha256: str
    where: str | None
    path: Path

    def place(self, number: int) -> str:
        """Where row `number` stands, for a sentence: `scenarios.csv, line 3`."""
        unit = "row" if self.file.lower().endswith((".parquet", ".xlsx")) else "line"
        return f"{self.file}, {unit} {self.lines[number]}"


@dataclass(frozen=True)
class Uniform:
    low: float
    high: float


@dataclass(frozen=True)
class LogUniform:
    low: float
    high: float


@dataclass(frozen=True)
class Normal:
    mean: float
    sd: float


@dataclass(frozen=True)
class Integers:
    """Both ends included."""

    low: int
    high: int


@dataclass(frozen=True)
class Choice:
    values: tuple[Value, ...]
    weights: tuple[float, ...] | None = None


@dataclass(frozen=True)
class TruncNormal:
    """A normal distribution between bounds; None is no bound, and one of them is given."""

    mean: float
    sd: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class LogNormal:
    """Its logarithm is normal, with mean `mu` and standard deviation `sigma`."""

    mu: float
    sigma: float


@dataclass(frozen=True)
class Triangular:
    low: float
    mode: float
    high: float


@dataclass(frozen=True)
class Exponential:
    mean: float


@dataclass(frozen=True)
class Weibull:
    shape: float
    scale: float


@dataclass(frozen=True)
class Gamma:
    """Its mean is shape * scale."""

    shape: float
    scale: float


@dataclass(frozen=True)
class Beta:
    a: float
    b: float
    low: float = 0.0
    high: float = 1.0


@dataclass(frozen=True)
class Poisson:
    """Whole numbers from 0."""

    mean: float


@dataclass(frozen=True)
class Scipy:
    """Any distribution of scipy.stats, by the names scipy has for it and its parameters."""

    name: str
    parameters: Mapping[str, float]


Distribution = (
    Uniform
    | LogUniform
    | Normal
    | TruncNormal
    | LogNormal
    | Triangular
    | Exponential
    | Weibull
    | Gamma
    | Beta
    | Poisson
    | Integers
    | Choice
    | Scipy
)


def has_ends(distribution: Distribution) -> bool:
    """Whether it has a smallest and a largest value that are known here."""
    if isinstance(distribution, TruncNormal):
        return distribution.low is not None and distribution.high is not None
    return isinstance(distribution, Uniform | LogUniform | Triangular | Beta | Integers | Choice)


@dataclass(frozen=True)
class Draw:
    """One name under `sample.of`. `unit` is shown and is no part of any job.

    With `size` the parameter is a list of so many draws, with `names` a map from each name to its draw.
    """

    name: str
    distribution: Distribution
    path: Path
    unit: str | None = None
    size: int | None = None
    names: tuple[str, ...] | None = None

    @property
    def is_vector(self) -> bool:
        return self.size is not None or self.names is not None

    @property
    def width(self) -> int:
        """How many values one draw has."""
        return len(self.names) if self.names is not None else self.size or 1

    @property
    def components(self) -> tuple[str, ...]:
        """The keys of what is drawn: the name itself, or `x[0]`, `x[1]`, … or `x[J1]`, … of a vector."""
        if self.names is not None:
            return tuple(f"{self.name}[{name}]" for name in self.names)
        if self.size is not None:
            return tuple(f"{self.name}[{number}]" for number in range(self.size))
        return (self.name,)


Method = Literal["random", "lhs", "sobol", "halton", "saltelli", "morris"]


@dataclass(frozen=True)
class Sample:
    """`sample`: points of all `draws` together. `seed` None means the study's.

    `n` is the number of points, of base samples (saltelli) or of trajectories (morris); `count` is the number of
    points by each method's formula. `correlate` holds rank correlations of pairs, first name -> second -> value.
    `options` has what the method knows of `scramble`, `second_order`, `groups` (name -> parameters) and `levels`.
    """

    method: Method
    n: int
    draws: tuple[Draw, ...]
    path: Path
    seed: int | None = None
    correlate: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def count(self) -> int:
        if self.method == "saltelli":
            return self.n * self.steps_of_a_base
        if self.method == "morris":
            return self.n * (len(self.factors) + 1)
        return self.n

    @property
    def steps_of_a_base(self) -> int:
        """Of a saltelli sample: the points made from one base sample, G + 2, or 2G + 2 with second order."""
        factors = len(self.factors)
        return 2 * factors + 2 if self.options.get("second_order", True) else factors + 2

    @property
    def factors(self) -> tuple[tuple[int, ...], ...]:
        """What saltelli and morris move as one: places among the components of all draws.

        The parameters of a group; of the others, each component is its own. In order of their first component.
        """
        group_of = {name: group for group, names in self.options.get("groups", {}).items() for name in names}
        factors: dict[str, list[int]] = {}
        keys = ((draw.name, key) for draw in self.draws for key in draw.components)
        for place, (name, key) in enumerate(keys):
            factor = f"group {group_of[name]}" if name in group_of else key
            factors.setdefault(factor, []).append(place)
        return tuple(map(tuple, factors.values()))


@dataclass(frozen=True)
class Replicates:
    """`replicates`: every row n times, numbered from 0; `name` receives the replicate's seed.

    `paired`: the seed hangs on the study's and the number alone, and is the same in every row.
    """

    n: int
    name: str
    path: Path
    paired: bool = False


@dataclass(frozen=True)
class Oat:
    """`oat`: one parameter at a time moves away from `centre`.

    A step that is a number makes `each_side` values below the centre's and as many above it;
    one that is a list or a range is the values themselves.
    """

    centre: Mapping[str, Value]
    steps: Mapping[str, int | float | Known]
    each_side: int
    include_centre: bool
    path: Path


@dataclass(frozen=True)
class Points:
    """Rows that were asked for one by one, by a program (`compile.points`); no file can say this.

    A row is that replicate of the study's whose number it has under `replicate`; `files` are the parameters
    whose values are files of the study.
    """

    rows: tuple[Mapping[str, Value], ...]
    files: tuple[str, ...]
    path: Path


Source = Axis | Zip | Cases | Table | Sample | Replicates | Oat | Points
"""What multiplies inside a block. The order in `Block.sources` is the order written: first is slowest."""


# ── blocks ───────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Fixed:
    name: str
    value: Value
    path: Path


@dataclass(frozen=True)
class Derived:
    """One key of `derive`: a bare expression over the names before it."""

    name: str
    expression: str
    path: Path


@dataclass(frozen=True)
class Exclude:
    """One entry of `exclude`: literal (all listed names equal) or `where`; exactly one is given."""

    match: Mapping[str, Value] | None
    where: str | None
    path: Path


@dataclass(frozen=True)
class Take:
    """`take`: rows left out at the beginning, and how many follow at most (None: all)."""

    skip: int = 0
    n: int | None = None


@dataclass(frozen=True)
class Block:
    """Inside a block every source multiplies; blocks add. `name` is `main` for a single block.

    `shuffle` is the seed of a random order of the rows that `exclude` leaves (None: as written),
    of which `take` then takes some.
    """

    name: str
    fixed: tuple[Fixed, ...]
    sources: tuple[Source, ...]
    derive: tuple[Derived, ...]
    exclude: tuple[Exclude, ...]
    path: Path
    shuffle: int | None = None
    take: Take = Take()

    @property
    def samples(self) -> tuple[Sample, ...]:
        return tuple(source for source in self.sources if isinstance(source, Sample))


# ── worker, inputs, cluster, results ─────────────────────────────────────────────────────────
RetryOn = Literal["crash", "lost", "timeout", "error"]


@dataclass(frozen=True)
class Retries:
    """Attempts after the first, and for which endings. A lost machine counts apart, at most 5."""

    max: int = 0
    on: tuple[RetryOn, ...] = ("crash", "lost")


@dataclass(frozen=True)
class Needs:
    """Per job. `memory` in bytes of resident size (None: not watched), `cpus` in cores."""

    memory: int | None = None
    cpus: float = 1.0


@dataclass(frozen=True)
class Worker:
    """`worker`. Exactly one of `entrypoint` ("module:function") and `command` (argv) is given.

    `directory` is as written, relative to the spec; `timeout` in seconds; `python` such as "3.11"
    or None (the minor version the lock was made with). On a swarm: `image` is a ready-made worker
    image (None: a stock Python), `stop_grace` the seconds a job at hand has when its worker is told
    to stop, `scratch` the bytes of the memory-backed scratch of a node, `auto`, or `disk`.
    """

    directory: str
    entrypoint: str | None
    command: tuple[str, ...] | None
    python: str | None
    timeout: float | None
    retries: Retries
    needs: Needs
    isolation: Literal["process", "fork"]
    env: tuple[str, ...]
    image: str | None = None
    stop_grace: float = 60.0
    scratch: int | Literal["auto", "disk"] = "auto"


@dataclass(frozen=True)
class Input:
    """One key of `inputs`: a file, a directory or a glob, relative to the spec."""

    name: str
    pattern: str
    path: Path


Dashboard = Literal["queue", "visualizer"]
"""Pages of a swarm that are there only when asked for: RQ's dashboard, and Docker's visualizer."""


Provider = Literal["local", "swarm", "ssh", "digitalocean"]
DAY = 86400.0
"""Seconds."""


@dataclass(frozen=True)
class Cluster:
    """`cluster`. Seconds, and a fraction or a count for `max_failures` (None: no limit).

    `options` of `swarm`: `context` (the name of a Docker context) or `host` (`ssh://user@host:port`);
    of `ssh`: `hosts` (a list of `user@host:port` or names of an ssh configuration, the first one manages)
    and `network` (a CIDR, or None: the addresses they are reached at); of `digitalocean`: `region`,
    `manager`, `worker` (slugs of sizes), `image` (a slug, or the name or id of a snapshot), `docker`
    (`distribution`, `docker` or `image`: who brings Docker), `vpc` (name or id, None: one of its own),
    `tags` (a list), `ssh_from` (a list of CIDRs, None: the address the caller comes from).

    For machines that are rented: `workers` beside the manager (0: it works alone), `max_cost` in US dollars
    (None: no limit), `ttl` and `idle_stop` (None: never), `keep_results`; `reaper_token` is the name of an
    environment variable (None: machines are switched off, not given back), `ssh_keys` are public keys or
    files that hold one (None: those the caller's agent has).
    """

    provider: Provider = "local"
    options: Mapping[str, Value] = field(default_factory=dict)
    slots: int | Literal["auto"] = "auto"
    max_failures: int | float | None = None
    dashboards: tuple[Dashboard, ...] = ()
    workers: int = 1
    max_cost: Decimal | None = None
    ttl: float | None = DAY
    idle_stop: float | None = None
    keep_results: float = 3 * DAY
    reaper_token: str | None = None
    ssh_keys: tuple[str, ...] | None = None

    @property
    def is_rented(self) -> bool:
        """Whether machines are made for the study, and billed while they stand."""
        return self.provider == "digitalocean"


@dataclass(frozen=True)
class TableSink:
    """`- table: {path: …}`; the suffix chooses the format: .csv, .jsonl, .sqlite."""

    file: str
    path: Path

    @property
    def written(self) -> str:
        """What it writes, as the user wrote it."""
        return self.file


@dataclass(frozen=True)
class FilesSink:
    """`- files: {path: …}`: the files jobs return, one directory a job."""

    directory: str
    path: Path

    @property
    def written(self) -> str:
        """What it writes, as the user wrote it."""
        return self.directory


@dataclass(frozen=True)
class InfluxSink:
    """`- influxdb: {database: …}`: a server that speaks InfluxDB's `/write`.

    `url` None means the swarm's own server. `password` and `token` are names of environment variables
    of the caller's. `tags` are the parameters that become tags beside the job's id; None: those with
    few values (grid, zip, cases, oat). `start` is the moment at which a numeric or timedelta index is 0: a
    moment as ISO 8601 text, or the name of a parameter that holds one; None is 1970-01-01T00:00:00.
    """

    database: str
    path: Path
    url: str | None = None
    username: str | None = None
    password: str | None = None
    token: str | None = None
    tags: tuple[str, ...] | None = None
    start: str | None = None


Sink = TableSink | FilesSink | InfluxSink


@dataclass(frozen=True)
class Ensemble:
    """The study one file describes.

    `job` is the template as written (JSON with `{{ }}` in its texts), None for the flat parameters.
    """

    name: str
    seed: int
    worker: Worker
    inputs: tuple[Input, ...]
    blocks: tuple[Block, ...]
    job: Mapping[str, Value] | None
    cluster: Cluster
    results: tuple[Sink, ...]
