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


Values = Listed | Stepped | Counted


@dataclass(frozen=True)
class Axis:
    """One key of `grid` (or of a zip group). With `when`, the parameter is absent where it is false."""

    name: str
    values: Values
    path: Path
    when: str | None = None


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
    table's file that row i stands on; `sha256` is of the file's bytes.
    """

    file: str
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, Value], ...]
    lines: tuple[int, ...]
    sha256: str
    where: str | None
    path: Path


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


Distribution = Uniform | LogUniform | Normal | Integers | Choice


@dataclass(frozen=True)
class Draw:
    """One name under `sample.of`."""

    name: str
    distribution: Distribution
    path: Path


@dataclass(frozen=True)
class Sample:
    """`sample`: n points of all `draws` together. `seed` None means the study's."""

    method: Literal["random", "lhs"]
    n: int
    draws: tuple[Draw, ...]
    path: Path
    seed: int | None = None


@dataclass(frozen=True)
class Replicates:
    """`replicates`: every row n times, numbered from 0; `name` receives the replicate's seed."""

    n: int
    name: str
    path: Path


Source = Axis | Zip | Cases | Table | Sample | Replicates
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
class Block:
    """Inside a block every source multiplies; blocks add. `name` is `main` for a single block."""

    name: str
    fixed: tuple[Fixed, ...]
    sources: tuple[Source, ...]
    derive: tuple[Derived, ...]
    exclude: tuple[Exclude, ...]
    path: Path


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
    few values (grid, zip, cases). `start` is the moment at which a numeric or timedelta index is 0: a
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
