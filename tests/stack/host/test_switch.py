"""What the switch decides, and when: every machine ends in the end, and none before its time."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from stack.host.program import PROGRAM, load

switch = load()

T0 = 1_800_000_000.0
HOUR, DAY = 3600.0, 86400.0
OWN, WORKER = 7, 8


def form(**changes: Any) -> dict[str, Any]:
    """`switch.json` of a manager with one worker."""
    rentals = [
        {"id": OWN, "name": "cb-waves-manager", "hourly": "0.036", "since": T0, "until": None},
        {"id": WORKER, "name": "cb-waves-worker-1", "hourly": "0.071", "since": T0, "until": None},
    ]
    told = {
        "format": 1,
        "study": "waves",
        "role": "manager",
        "armed": T0,
        "deadline": T0 + 8 * HOUR,
        "ttl": 8 * HOUR,
        "max_cost": None,
        "rentals": rentals,
        "idle_stop": None,
        "keep_results": DAY,
        "api": "https://api.example/v2/",
        "tag": "cloudburst:waves",
        "activity": "/somewhere/activity.json",
        "manager": None,
        "own": OWN,
    }
    return {**told, **changes}


def config(**changes: Any) -> Any:
    return switch.read_config(json.dumps(form(**changes)))


def activity(last: int = 0, fetched: int = 0, *, at: float = T0, idle: float = 0.0) -> Any:
    return switch.Activity(at, at - idle, last, fetched)


@dataclass
class World:
    """A machine, its account and its controller, in a time that only the test moves.

    `obeys`: the API does what it is asked. Each look is what `Switch.look` does, without its files and sockets.
    """

    config: Any
    has_token: bool = True
    obeys: bool = True
    refuses: bool = False
    activity: Callable[[float], Any] = lambda now: None
    manager_answers: Callable[[float], bool] = lambda now: False
    now: float = T0
    state: Any = field(default_factory=switch.State)
    boot: str = "first"
    booted: float = T0
    log: list[tuple[float, str]] = field(default_factory=list)
    stages: list[str] = field(default_factory=list)
    workers: int = 1
    ended: str = ""

    def __post_init__(self) -> None:
        self.look()

    def look(self) -> None:
        self.state = switch.armed_anew(self.state, self.config, self.now)
        said = self.activity(self.now)
        if self.config.role == "manager":
            self.state = switch.heard_from(self.state, said, self.now)
        elif self.manager_answers(self.now):
            self.state = self.state._replace(heard=self.now)
        seen = switch.Seen(said, self.has_token, self.boot, self.now - self.booted)
        act = switch.decide(self.config, self.state, seen, self.now)
        self.state = switch.followed(self.state, act, seen, self.now)
        if self.stages[-1:] != [act.stage]:
            self.stages.append(act.stage)
        self._do(act.do)

    def _do(self, what: str) -> None:
        if what == switch.WAIT:
            return
        self.log.append((self.now, what))
        if what == switch.POWER_OFF:
            self.ended = "off"
        elif self.refuses:
            self.state = self.state._replace(refused=self.state.refused or self.now)
        elif self.obeys and what == switch.REMOVE_WORKERS:
            self.state = self.state._replace(gone=self.now) if self.workers == 0 else self.state
            self.workers = 0
        elif self.obeys:
            self.ended = "gone"

    def pass_time(self, seconds: float, step: float = 60.0) -> None:
        until = self.now + seconds
        while self.now < until and not self.ended:
            self.now = min(until, self.now + step)
            self.look()

    def first(self, what: str) -> float:
        """When it did that first."""
        return next(at for at, did in self.log if did == what)


# ── what ends it ─────────────────────────────────────────────────────────────────────────────
def test_workers_go_first_and_the_manager_when_its_results_are_fetched() -> None:
    world = World(config(), activity=lambda now: activity(9, 9 if now >= T0 + 10 * HOUR else 4))
    world.pass_time(8 * HOUR - 60)
    assert world.log == []
    world.pass_time(HOUR)
    assert (world.workers, world.stages[-1], world.state.reason) == (0, "keeping results", "its time is over")
    assert world.ended == ""
    world.pass_time(2 * HOUR)
    assert world.ended == "gone"
    assert world.stages == list(switch.STAGES[:4])
    assert world.first(switch.REMOVE_MANAGER) == T0 + 10 * HOUR


def test_results_that_nobody_fetches_are_kept_for_as_long_as_was_said() -> None:
    world = World(config(keep_results=DAY), activity=lambda now: activity(9, 8))
    world.pass_time(9 * DAY)
    assert world.ended == "gone"
    assert world.first(switch.REMOVE_MANAGER) == world.first(switch.REMOVE_WORKERS) + DAY


def test_a_manager_without_outcomes_goes_at_once() -> None:
    world = World(config(), activity=lambda now: activity(0, 0))
    world.pass_time(DAY)
    assert world.log[-1] == (T0 + 8 * HOUR + 120, switch.REMOVE_MANAGER)


def test_what_cannot_be_read_is_no_proof_that_results_are_safe() -> None:
    world = World(config(keep_results=DAY))
    world.pass_time(9 * DAY)
    assert world.first(switch.REMOVE_MANAGER) == T0 + 8 * HOUR + DAY


def test_without_a_token_it_powers_off_after_its_workers() -> None:
    world = World(config(), has_token=False, activity=lambda now: activity(9, 9))
    world.pass_time(DAY)
    assert world.ended == "off"
    assert world.first(switch.POWER_OFF) == T0 + 8 * HOUR + switch.HEAD_START


def test_a_token_that_is_refused_is_no_token_after_a_while() -> None:
    world = World(config(), refuses=True)
    world.pass_time(DAY)
    assert world.ended == "off"
    assert world.first(switch.POWER_OFF) - world.first(switch.REMOVE_WORKERS) == switch.REFUSED


def test_max_cost_leaves_room_for_the_manager_to_wait() -> None:
    """3.00 - 24 h x 0.036 = 2.136 USD for both, at 0.107 an hour: 19.96 hours, less two minutes for going."""
    world = World(config(max_cost="3", deadline=None, ttl=None), activity=lambda now: activity(9, 4))
    world.pass_time(9 * DAY, step=20)
    gone = world.first(switch.REMOVE_MANAGER)
    assert world.first(switch.REMOVE_WORKERS) - T0 == pytest.approx(19.96 * HOUR - 120, abs=30)
    assert world.state.reason == "max_cost of 3 USD is reached"
    spent = switch.cost(switch.rentals_of(world.config, world.state), gone)
    assert Decimal("2.99") < spent <= 3


def test_idle_stop_counts_from_the_last_job() -> None:
    last_job = T0 + 2 * HOUR
    world = World(
        config(idle_stop=1200.0),
        activity=lambda now: activity(9, 9, at=now, idle=max(0.0, now - last_job)),
    )
    world.pass_time(DAY, step=20)
    assert world.first(switch.REMOVE_WORKERS) == last_job + 1200
    assert world.state.reason == "no job ran for 20m"


@pytest.mark.parametrize(("idle_stop", "patience"), [(300.0, switch.QUIET), (7200.0, 7200.0)])
def test_while_the_controller_is_away_nobody_knows_whether_a_job_runs(
    idle_stop: float, patience: float
) -> None:
    died = T0 + HOUR
    world = World(config(idle_stop=idle_stop), activity=lambda now: activity(9, 9, at=min(now, died)))
    world.pass_time(DAY, step=20)
    assert world.first(switch.REMOVE_WORKERS) == died + patience


def test_idle_stop_waits_an_hour_for_a_controller_that_never_came() -> None:
    world = World(config(idle_stop=300.0))
    world.pass_time(DAY)
    assert world.first(switch.REMOVE_WORKERS) == T0 + HOUR


# ── a worker ─────────────────────────────────────────────────────────────────────────────────
def worker(**changes: Any) -> Any:
    told: dict[str, Any] = {
        "role": "worker",
        "rentals": [],
        "manager": "10.0.0.2:2377",
        "own": None,
        "activity": None,
    }
    return config(**{**told, **changes})


def test_a_worker_powers_off_at_its_own_deadline() -> None:
    world = World(worker(), has_token=False, manager_answers=lambda now: True)
    world.pass_time(DAY)
    assert world.log == [(T0 + 8 * HOUR, switch.POWER_OFF)]


def test_a_worker_whose_manager_is_silent_powers_off() -> None:
    world = World(worker(), manager_answers=lambda now: now <= T0 + HOUR)
    world.pass_time(DAY)
    assert world.log == [(T0 + HOUR + switch.QUIET, switch.POWER_OFF)]
    assert world.state.reason == "its manager has not answered for 15m"


def test_a_worker_that_never_reached_its_manager_powers_off() -> None:
    world = World(worker(manager=None))
    world.pass_time(DAY)
    assert world.log == [(T0 + HOUR, switch.POWER_OFF)]
    assert world.state.reason == "its manager was never reached"


# ── an apply, and switching on again ─────────────────────────────────────────────────────────
def test_an_apply_starts_it_all_again() -> None:
    world = World(config(), activity=lambda now: activity(9, 4))
    world.pass_time(9 * HOUR)
    assert world.stages[-1] == "keeping results"
    world.config = config(armed=world.now, deadline=world.now + HOUR, ttl=HOUR)
    began = world.now
    world.workers = 1
    world.pass_time(HOUR - 60)
    assert (world.state.stage, world.state.reason, world.workers) == ("armed", "", 1)
    world.pass_time(120)
    assert world.log[-1] == (began + HOUR + 60, switch.REMOVE_WORKERS)


def test_an_older_file_brought_back_changes_nothing() -> None:
    world = World(config(), activity=lambda now: activity(9, 4))
    world.pass_time(9 * HOUR)
    world.config = config(armed=T0 - HOUR, deadline=T0 + 100 * DAY)
    world.pass_time(HOUR)
    assert world.state.stage == "keeping results"


def test_who_switches_it_on_again_has_time_to_say_what_for() -> None:
    world = World(config(), has_token=False)
    world.pass_time(DAY)
    assert world.ended == "off"
    world.ended, world.boot, world.now = "", "second", T0 + 2 * DAY
    world.booted = world.now
    world.pass_time(switch.AWAKE - 60)
    assert world.ended == ""
    world.config = config(armed=world.now, deadline=world.now + DAY, ttl=DAY)
    world.pass_time(DAY - 60)
    assert world.ended == ""
    world.pass_time(HOUR)
    assert world.ended == "off"


def test_a_client_whose_clock_is_a_year_ahead_gets_the_time_it_asked_for() -> None:
    ahead = T0 + 365 * DAY
    world = World(config(armed=ahead, deadline=ahead + 8 * HOUR))
    world.pass_time(DAY)
    assert world.first(switch.REMOVE_WORKERS) == T0 + 8 * HOUR


# ── laws ─────────────────────────────────────────────────────────────────────────────────────
durations = st.floats(60, 3 * DAY)


@settings(deadline=None, max_examples=60)
@given(
    ttl=st.none() | durations,
    max_cost=st.none() | st.decimals("0.01", "20", places=2),
    idle_stop=st.none() | durations,
    keep=st.floats(0, 2 * DAY),
    has_token=st.booleans(),
    last_job=st.floats(0, 2 * DAY),
    fetched=st.integers(0, 9),
    failing=st.floats(0, DAY),
)
def test_it_ends_in_the_end_and_never_before_its_time(
    ttl: float | None,
    max_cost: Decimal | None,
    idle_stop: float | None,
    keep: float,
    has_token: bool,
    last_job: float,
    fetched: int,
    failing: float,
) -> None:
    assume(not (ttl is None and max_cost is None and idle_stop is None))
    told = config(
        ttl=ttl,
        deadline=None if ttl is None else T0 + ttl,
        max_cost=None if max_cost is None else str(max_cost),
        idle_stop=idle_stop,
        keep_results=keep,
    )
    world = World(
        told,
        has_token=has_token,
        activity=lambda now: activity(9, fetched, at=now, idle=max(0.0, now - T0 - last_job)),
    )
    world.obeys = False
    while world.log == [] and world.now < T0 + 60 * DAY and not world.ended:
        world.pass_time(3600, 3600)
    assert world.log, "it always acts in the end"
    began = world.state.stopped
    earliest = []
    if ttl is not None:
        earliest.append(T0 + ttl)
    if idle_stop is not None:
        earliest.append(T0 + last_job + idle_stop)
    if max_cost is not None:
        reserve = switch.price(Decimal("0.036"), keep) if has_token else 0
        limit = max_cost - reserve - switch.price(Decimal("0.107"), switch.HEAD_START)
        earliest.append(began if switch.cost(told.rentals, began) >= limit else world.now + DAY)
    assert began >= min(earliest), "it never acts before its time"
    world.pass_time(failing, 1200)
    world.obeys = True
    world.pass_time(keep + DAY, 1200)
    assert world.ended == ("gone" if has_token else "off")
    assert [switch.STAGES.index(stage) for stage in world.stages] == sorted(
        switch.STAGES.index(stage) for stage in world.stages
    ), "stages go forward only"
    if has_token:
        removed = world.first(switch.REMOVE_MANAGER)
        assert world.workers == 0
        assert fetched == 9 or removed >= began + keep, "results are safe, or were kept"


damaged = st.one_of(
    st.text(max_size=200),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    ).map(json.dumps),
    st.dictionaries(
        st.sampled_from(sorted(form())),
        st.none()
        | st.booleans()
        | st.floats()
        | st.integers()
        | st.text(max_size=20)
        | st.lists(st.integers()),
    ).map(lambda changes: json.dumps(form(**changes))),
)


@given(text=damaged)
def test_whatever_it_is_told_it_decides_or_says_that_it_is_damaged(text: str) -> None:
    try:
        told = switch.read_config(text)
    except switch.Damaged:
        told = switch.UNKNOWN
    world = World(told, activity=lambda now: activity(1, 0, at=now))
    world.pass_time(400, 100)
    memory = switch.Memory(world.state, switch.Clock("boot", world.now, 0.0), text)
    seen = switch.Seen(None, True, "first", 400.0)
    json.dumps(switch.state_form(told, memory, seen, []), allow_nan=False)


def test_nothing_known_at_all_means_a_day_and_then_off() -> None:
    world = World(switch.UNKNOWN)
    world.pass_time(3 * DAY)
    assert world.log == [(T0 + DAY, switch.POWER_OFF)]


@given(text=damaged)
def test_a_damaged_memory_is_forgotten(text: str) -> None:
    try:
        found = json.loads(text)
        memory = switch.read_memory(found) if isinstance(found, dict) else switch.Memory()
    except (ValueError, RecursionError):
        return
    assert memory.state.stage in switch.STAGES


def test_its_memory_survives_being_written_down() -> None:
    world = World(config(), activity=lambda now: activity(9, 4))
    world.pass_time(9 * HOUR)
    memory = switch.Memory(world.state, switch.Clock("boot", world.now, T0, T0 + 5, 3.0), json.dumps(form()))
    seen = switch.Seen(None, True, "first", 400.0)
    told = json.loads(json.dumps(switch.state_form(world.config, memory, seen, [])))
    assert switch.read_memory(told["memory"]) == memory


# ── the clock ────────────────────────────────────────────────────────────────────────────────
@dataclass
class Ticking:
    """A clock that is looked at every 20 seconds; `wrong` is how far the machine's is off."""

    truth: float = T0
    up: float = 5.0
    wrong: float = 0.0
    boot: str = "first"
    clock: Any = None

    def run(self, seconds: float) -> float:
        """How far what it believes is from the truth."""
        for _ in range(int(seconds // 20) or 1):
            self.truth += 20
            self.up += 20
            anew = self.clock is None
            self.clock = switch.tick(self.clock, self.truth + self.wrong, self.up, self.boot, T0, anew)
        return float(self.clock.at - self.truth)


@pytest.mark.parametrize("jump", [-9 * DAY, -2 * HOUR, 90.0, 2 * HOUR, 400 * DAY])
def test_a_jump_that_is_taken_back_is_never_believed(jump: float) -> None:
    ticking = Ticking()
    assert abs(ticking.run(HOUR)) < 1
    ticking.wrong = jump
    assert abs(ticking.run(switch.STEADY - 40)) < 1
    ticking.wrong = 0.0
    assert abs(ticking.run(HOUR)) < 1


def test_a_clock_that_is_right_only_later_is_believed_then() -> None:
    ticking = Ticking(truth=T0 + 3 * HOUR, wrong=-30 * DAY)
    assert ticking.run(HOUR) == pytest.approx(-3 * HOUR, abs=60)
    ticking.wrong = 0.0
    assert abs(ticking.run(HOUR)) < 1


def test_a_clock_before_the_arming_is_never_believed() -> None:
    ticking = Ticking(wrong=-30 * DAY)
    assert abs(ticking.run(10 * DAY)) < 60


def test_after_a_boot_time_goes_on_from_where_it_was() -> None:
    ticking = Ticking()
    ticking.run(HOUR)
    ticking.boot, ticking.up, ticking.wrong = "second", 5.0, -100 * DAY
    ticking.truth += 300
    assert ticking.run(HOUR) == pytest.approx(-300, abs=60)


@given(
    jumps=st.lists(st.tuples(st.floats(-DAY, DAY), st.floats(20, 580)), max_size=8),
)
def test_however_it_jumps_time_goes_by(jumps: list[tuple[float, float]]) -> None:
    ticking = Ticking()
    ticking.run(1200)
    for wrong, seconds in jumps:
        ticking.wrong = wrong
        ticking.run(seconds)
    ticking.wrong = 0.0
    assert abs(ticking.run(2 * switch.STEADY)) <= switch.SAME


# ── the program ──────────────────────────────────────────────────────────────────────────────
def test_it_is_for_any_python_from_3_8_and_its_library_alone() -> None:
    text = PROGRAM.read_text("utf-8")
    tree = ast.parse(text, feature_version=(3, 8))
    names = {
        (name if isinstance(node, ast.Import) else node.module or "").partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in [alias.name for alias in node.names]
    }
    assert names <= set(__import__("sys").stdlib_module_names)
    for newer in ("removeprefix", "removesuffix", "math.lcm", "zip(strict", "functools.cache"):
        assert newer not in text


@pytest.mark.parametrize(
    ("base", "may"),
    [
        ("https://api.digitalocean.com/v2/", True),
        ("http://127.0.0.1:8080/v2/", True),
        ("http://198.18.0.9/v2/", True),
        ("http://[::1]/v2/", True),
        ("http://api.digitalocean.com/v2/", False),
        ("http://127.0.0.1.example.com/", False),
        ("http://198.20.0.1/", False),
        ("ftp://127.0.0.1/", False),
        ("https:///v2", False),
        ("", False),
    ],
)
def test_the_token_goes_over_tls_or_stays_on_the_machine(base: str, may: bool) -> None:
    assert switch.is_private(base) is may
