"""What is wrong with a study's expressions and templates, found by reading them.

Each rule yields problems by path; `check` runs them all, and when names are right has `trial` try
rows. What the shape of the file alone can say was said by `spec.checks`.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from difflib import get_close_matches

from ..diagnostics import Path, Problem, first_told
from ..spec.ensemble import Block, Cases, Ensemble, InfluxSink, Oat, Replicates, Sample, Table
from ..spec.schema import candidates
from . import former_checks, trial
from .bounds import expressions_of
from .draw_checks import check_drawn
from .draws import Draws
from .expressions import FUNCTIONS, Expression, ExpressionError, expression, text, tokens
from .filters import REPLICATE, ROW, axes, conditions
from .jobs import COMMAND_PATH, INPUTS, JOB_ID, JOB_PATH
from .space import names_in, names_of
from .templates import Spot, plain_texts, spots, texts

_ELSEWHERE: Mapping[str, str] = {
    ROW: "is known only in a `where`: what a job is does not depend on its position",
    JOB_ID: "is known only in `command`: an id cannot depend on itself",
    REPLICATE: "is known only where the block has `replicates`, and not in a `when`",
    INPUTS: "is known only in `job` and `command`, and when the file has `inputs`",
}


_ALONE = "functions stand alone, as in `sqrt(x)`"
_FUNCTION_LIST = f"the functions are: {' '.join(FUNCTIONS)}"
_MEANT: Mapping[str, str] = {
    **dict.fromkeys(("null", "nil", "NULL", "Null"), "nothing is written `none`"),
    **dict.fromkeys(("TRUE", "yes"), "write `true`"),
    **dict.fromkeys(("FALSE", "no"), "write `false`"),
    **dict.fromkeys(("math", "np", "numpy"), _ALONE),
    **dict.fromkeys(("len", "sum", "range", "mean"), _FUNCTION_LIST),
    "ln": "the natural logarithm is `log(x)`",
    "pow": "a power is written `**`",
}
"""Names of other languages, unless a parameter has them."""


def check(
    ensemble: Ensemble, draws: Draws | None = None, inputs: Mapping[str, str] | None = None
) -> Iterator[Problem]:
    """Everything found, errors and warnings. What hangs on names that are already wrong is not tried."""
    problems = list(first_told(read(ensemble)))
    yield from problems
    wrong = [problem.path for problem in problems if problem.severity == "error"]
    yield from trial.run(ensemble, draws or Draws(), inputs, wrong)


def read(ensemble: Ensemble, rules: Iterable[Rule] | None = None) -> Iterator[Problem]:
    """What reading alone finds: all of it, or what some rules do."""
    too_many = list(check_amount(ensemble))
    yield from too_many
    for rule in () if too_many else RULES if rules is None else rules:
        yield from rule(ensemble)


# ── how many ─────────────────────────────────────────────────────────────────────────────────
MOST_TOKENS = 5_000
"""Names, numbers and signs in all expressions of a file; of those that stand there twice, once."""


def check_amount(ensemble: Ensemble) -> Iterator[Problem]:
    """Each expression is compiled, and that takes its time."""
    seen, count = set[str](), 0
    for path, source in _sources(ensemble):
        if source not in seen:
            seen.add(source)
            count += tokens(source)
            if count > MOST_TOKENS:
                message = f"the expressions of this file, up to here, have more than {MOST_TOKENS:,} names, numbers and signs"
                hint = "what is computed at such length belongs into the worker, or its results into a table"
                yield Problem("too-many-expressions", path, message, hint)
                return


def _sources(ensemble: Ensemble) -> Iterator[tuple[Path, str]]:
    """Every expression, and every text with some in it."""
    for block in ensemble.blocks:
        for source in block.sources:
            if isinstance(source, Table) and source.where is not None:
                yield (*source.path, "where"), source.where
            for axis in axes(source):
                if axis.when is not None:
                    yield (*axis.path, "when"), axis.when
                yield from expressions_of(axis).items()
        yield from ((one.path, one.expression) for one in block.derive)
        yield from (((*one.path, "where"), one.where) for one in block.exclude if one.where is not None)
    for value, path, _ in _templates(ensemble):
        yield from texts(value, path)


# ── names ────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class _Place:
    """Where an expression stands: the names it can see there, and why it cannot see some others."""

    known: Set[str]
    why_not: Mapping[str, str] = field(default_factory=dict)
    inputs: Set[str] = frozenset()

    def judge(self, path: Path, source: str) -> Iterator[Problem]:
        try:
            found = expression(source)
        except ExpressionError as error:
            yield Problem("expression", path, error.message, error.hint)
        else:
            yield from self.judge_names(path, found)

    def judge_names(self, path: Path, found: Expression) -> Iterator[Problem]:
        for name in sorted(found.names - self.known - FUNCTIONS.keys()):
            reason = self.why_not.get(name) or _ELSEWHERE.get(name)
            if reason:
                yield Problem("name-not-here", path, f"`{name}` {reason}")
            else:
                yield self.unknown(path, name)
        for name in sorted(found.inputs - self.inputs) if INPUTS in self.known else ():
            hint = _nearest(name, self.inputs)
            yield Problem("unknown-input", path, f"there is no input `{name}` under `inputs:`", hint)

    def unknown(self, path: Path, name: str) -> Problem:
        if meant := _MEANT.get(name):
            return Problem("unknown-name", path, f"there is no `{name}` here", meant)
        quotes = f"for the text, write '{name}' with quotes"
        nearest = _nearest(name, {*self.known, *FUNCTIONS})
        hint = f"{nearest} {quotes[0].upper()}{quotes[1:]}" if nearest else quotes
        return Problem("unknown-name", path, f"there is no parameter `{name}` here", hint)


def _nearest(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, candidates(name, sorted(known)), n=1)
    return f"did you mean `{near[0]}`?" if near else ""


def _seed_names(block: Block) -> set[str]:
    return {source.name for source in block.sources if isinstance(source, Replicates)}


def _given(block: Block) -> set[str]:
    """Parameters that are there before seeds and derived values are."""
    given = {name for source in block.sources for name in names_of(source)}
    return (given | {one.name for one in block.fixed}) - _seed_names(block)


def _replicate_name(blocks: Iterable[Block]) -> set[str]:
    return {REPLICATE} if any(_seed_names(block) for block in blocks) else set()


def check_when(ensemble: Ensemble) -> Iterator[Problem]:
    """A `when` sees what is given: not itself, not seeds, not derived values."""
    for block in ensemble.blocks:
        given = _given(block)
        late = {one.name: "is derived, and a `when` is answered before that" for one in block.derive}
        late |= dict.fromkeys(_seed_names(block), "is a seed, and seeds hang on what a `when` leaves")
        for axis in (axis for source in block.sources for axis in axes(source)):
            if axis.when is not None:
                place = _Place(given, ChainMap({axis.name: "is the parameter this `when` is about"}, late))
                given.discard(axis.name)
                yield from place.judge((*axis.path, "when"), axis.when)
                given.add(axis.name)


def check_when_order(ensemble: Ensemble) -> Iterator[Problem]:
    """Two axes whose `when`s name each other; one that names itself is said by `check_when`."""
    for block in ensemble.blocks:
        whens = [axis for source in block.sources for axis in axes(source) if axis.when is not None]
        if any(
            not _reads(axis.when or "") or axis.name in expression(axis.when or "").names for axis in whens
        ):
            continue
        try:
            conditions(block)
        except ExpressionError as error:
            yield Problem("when-cycle", (*whens[0].path, "when"), error.message)


def _reads(source: str) -> bool:
    try:
        expression(source)
    except ExpressionError:
        return False
    return True


def check_bounds(ensemble: Ensemble) -> Iterator[Problem]:
    """A bound sees `fixed` and the sources above its own: the order in which the first varies slowest."""
    for block in ensemble.blocks:
        above, seeds = {one.name for one in block.fixed}, _seed_names(block)
        below = dict.fromkeys(names_in(block), "is given further down: a bound sees what stands above it")
        below |= {one.name: "is derived, and a bound is computed before that" for one in block.derive}
        below |= dict.fromkeys(seeds, "is a seed, and seeds hang on what a range gives")
        for source in block.sources:
            beside = {axis.name: "is of the same source: it walks beside this one" for axis in axes(source)}
            for axis in axes(source):
                own = {axis.name: "is the parameter this bound is about"}
                place = _Place(above, ChainMap(own, beside, below))
                for path, bound in expressions_of(axis).items():
                    yield from place.judge(path, bound)
            maybe = {axis.name for axis in axes(source) if axis.when is not None}
            below |= dict.fromkeys(
                maybe, "may be absent: it has a `when`, and a bound is computed before that"
            )
            above |= set(names_of(source)) - maybe - seeds


def check_tables(ensemble: Ensemble) -> Iterator[Problem]:
    """A table's `where` sees the table's columns and `row`."""
    for block in ensemble.blocks:
        others = dict.fromkeys(names_in(block), "is not a column of this table")
        for source in block.sources:
            if isinstance(source, Table) and source.where is not None:
                yield from _Place({*source.columns, ROW}, others).judge((*source.path, "where"), source.where)


def check_derive(ensemble: Ensemble) -> Iterator[Problem]:
    """A derived value sees what is given, seeds, and what was derived before it."""
    for block in ensemble.blocks:
        known = _given(block) | _seed_names(block) | _replicate_name([block])
        later = {one.name: "is derived further down: move it up" for one in block.derive}
        for one in block.derive:
            place = _Place(known, ChainMap({one.name: "cannot be derived from itself"}, later))
            yield from place.judge(one.path, one.expression)
            known.add(one.name)


def check_exclude(ensemble: Ensemble) -> Iterator[Problem]:
    """An `exclude` sees everything in its block, and `row`."""
    for block in ensemble.blocks:
        place = _Place({*names_in(block), *_replicate_name([block]), ROW})
        for entry in block.exclude:
            if entry.where is not None:
                yield from place.judge((*entry.path, "where"), entry.where)
            for name in sorted((entry.match or {}).keys() - place.known):
                hint = _nearest(name, place.known)
                message = f"`{name}` is no parameter of this block"
                yield Problem("unknown-name", (*entry.path, name), message, hint, at="key")


# ── templates ────────────────────────────────────────────────────────────────────────────────
def _templates(ensemble: Ensemble) -> Iterator[tuple[object, Path, set[str]]]:
    """What holds {{ }}, its path, and the names it can see besides parameters."""
    reserved = _replicate_name(ensemble.blocks) | ({INPUTS} if ensemble.inputs else set())
    if ensemble.job is not None:
        yield ensemble.job, JOB_PATH, reserved
    if ensemble.worker.command is not None:
        yield ensemble.worker.command, COMMAND_PATH, reserved | {JOB_ID}


def _spots(ensemble: Ensemble) -> list[Spot]:
    """All expressions in `job` and `command`; none when one of them cannot be read."""
    try:
        return [spot for value, path, _ in _templates(ensemble) for spot in spots(value, path)]
    except ExpressionError:
        return []


def check_templates(ensemble: Ensemble) -> Iterator[Problem]:
    parameters = {name for block in ensemble.blocks for name in names_in(block)}
    inputs = {one.name for one in ensemble.inputs}
    for value, path, reserved in _templates(ensemble):
        place = _Place(parameters | reserved, inputs=inputs)
        for where, source in texts(value, path):
            try:
                parts = text(source)
            except ExpressionError as error:
                yield Problem("expression", where, error.message, error.hint)
                continue
            for part in parts:
                if isinstance(part, Expression):
                    yield from place.judge_names(where, part)


_FOREIGN = re.compile(r"\$\{(\w+)\}|\$(\w+)|%\((\w+)\)[sdfg]|(?<!\{)\{ *(\w+) *\}(?!\})|<(\w+)>")
"""A name as other languages put it into a text."""


def check_foreign(ensemble: Ensemble) -> Iterator[Problem]:
    """A parameter that stands in a text as it would elsewhere, where it stays as it is written."""
    parameters = _everywhere(ensemble)
    for value, path, _ in _templates(ensemble):
        for where, source in plain_texts(value, path):
            for found in _FOREIGN.finditer(source):
                name = next(filter(None, found.groups()))
                if name in parameters:
                    message = f"{found[0]} stays as it is written: it is not the parameter `{name}`"
                    hint = f'a parameter is written "{{{{ {name} }}}}"'
                    yield Problem("not-a-template", where, message, hint, "warning")


def check_absent(ensemble: Ensemble) -> Iterator[Problem]:
    """Inside a longer text every block must have the names."""
    names = [{*names_in(block), *_replicate_name([block])} for block in ensemble.blocks]
    sometimes = set[str]().union(*names) - set[str].intersection(*names)
    for spot in _spots(ensemble):
        needed = (spot.expression.names - spot.expression.asked) & sometimes
        for block, known in zip(ensemble.blocks, names, strict=True) if needed and not spot.optional else ():
            lacking = needed - known
            for name in sorted(lacking):
                message = f"block `{block.name}` has no `{name}`"
                if name == REPLICATE:
                    message = f"block `{block.name}` has no `replicates`, so no `replicate`"
                hint = f"ask first: `… if {name} is defined else …`, or make {{{{ {name} }}}} a key's whole value"
                yield Problem("name-absent", spot.path, message, hint, related=((block.path, "the block"),))


def check_former(ensemble: Ensemble) -> Iterator[Problem]:
    """What an axis' `was` asks of its values, and of the texts it stands in."""
    yield from former_checks.check_was(ensemble)
    yield from former_checks.check_texts(ensemble, _spots(ensemble))


# ── sinks ────────────────────────────────────────────────────────────────────────────────────
def check_tags(ensemble: Ensemble) -> Iterator[Problem]:
    """A tag is a parameter of some block; rows of another one go without it."""
    known = _everywhere(ensemble)
    for sink in _influx(ensemble):
        for index, tag in enumerate(sink.tags or ()):
            if tag not in known:
                yield _no_parameter((*sink.path, "influxdb", "tags", index), tag, known)


def check_start(ensemble: Ensemble) -> Iterator[Problem]:
    """A `start` that is a name is a parameter of every block: without it, points would stand in 1970."""
    known = _everywhere(ensemble)
    for sink in _influx(ensemble):
        start, path = sink.start, (*sink.path, "influxdb", "start")
        if start is None or not start.isidentifier():
            continue
        if start not in known:
            yield _no_parameter(path, start, known)
            continue
        for block in ensemble.blocks:
            if start not in names_in(block):
                message = f"block `{block.name}` has no `{start}`"
                hint = f"give `{start}` in every block, or write the moment itself"
                yield Problem("name-absent", path, message, hint, related=((block.path, "the block"),))


def _influx(ensemble: Ensemble) -> Iterator[InfluxSink]:
    return (sink for sink in ensemble.results if isinstance(sink, InfluxSink))


def _named_by_sinks(ensemble: Ensemble) -> set[str]:
    return {name for sink in _influx(ensemble) for name in (*(sink.tags or ()), sink.start) if name}


def _everywhere(ensemble: Ensemble) -> set[str]:
    return {name for block in ensemble.blocks for name in names_in(block)}


def _no_parameter(path: Path, name: str, known: Set[str]) -> Problem:
    hint = (
        _nearest(name, known)
        or f"the parameters are {', '.join(sorted(known)[:20])}{', …' if len(known) > 20 else ''}"
    )
    return Problem("unknown-name", path, f"there is no parameter `{name}`", hint if known else "")


# ── what nothing uses ────────────────────────────────────────────────────────────────────────
def _filled_in(ensemble: Ensemble) -> set[str]:
    """Names that stand in a template."""
    return {name for spot in _spots(ensemble) for name in spot.expression.names}


def _used(filled_in: set[str], block: Block) -> set[str]:
    """Names that reach a job of the block, through derived values too."""
    used = set(filled_in)
    for one in reversed(block.derive):
        if one.name in used and _reads(one.expression):
            used |= expression(one.expression).names
    return used


def _asked_for(block: Block) -> set[str]:
    """Names a block's own expressions look at."""
    sources = [axis.when for source in block.sources for axis in axes(source) if axis.when is not None]
    sources += [
        bound for source in block.sources for axis in axes(source) for bound in expressions_of(axis).values()
    ]
    sources += [source.where for source in block.sources if isinstance(source, Table) and source.where]
    sources += [entry.where for entry in block.exclude if entry.where is not None]
    sources += [one.expression for one in block.derive]
    named = {name for source in sources if _reads(source) for name in expression(source).names}
    return named.union(*((entry.match or {}).keys() for entry in block.exclude))


def _written(block: Block) -> Iterator[tuple[str, Path]]:
    """The parameters somebody wrote down by name. A table is often wider than its use."""
    for fixed in block.fixed:
        yield fixed.name, fixed.path
    for source in block.sources:
        for axis in axes(source):
            yield axis.name, axis.path
        for draw in source.draws if isinstance(source, Sample) else ():
            yield draw.name, draw.path
        if isinstance(source, Oat):
            yield from ((name, (*source.path, "centre", name)) for name in source.centre)
        if isinstance(source, Cases):
            places = {name: (*source.path, i, name) for i, row in enumerate(source.rows) for name in row}
            yield from places.items()
    for derived in block.derive:
        yield derived.name, derived.path


def _is_template(source: str) -> bool:
    try:
        text(source)
    except ExpressionError:
        return False
    return True


def _has_template(ensemble: Ensemble) -> bool:
    """Whether there is one, and all of it can be read."""
    sources = [source for value, path, _ in _templates(ensemble) for _, source in texts(value, path)]
    return next(_templates(ensemble), None) is not None and all(map(_is_template, sources))


def check_unused(ensemble: Ensemble) -> Iterator[Problem]:
    """Without a template a function gets every parameter; with one that can be read, some may have been forgotten.

    A derived one may be there for its column in the table alone: it makes no rows alike.
    """
    filled_in = _filled_in(ensemble)
    for block in ensemble.blocks if _has_template(ensemble) else ():
        derived = {one.name for one in block.derive}
        used = _used(filled_in, block) | _asked_for(block) | _named_by_sinks(ensemble) | derived
        for name, path in _written(block):
            if name not in used:
                message = f"nothing uses the parameter `{name}`"
                hint = f"name it in the template, as in `{{{{ {name} }}}}`, or take it out"
                yield Problem("unused-parameter", path, message, hint, "warning", "key")


def check_replicates(ensemble: Ensemble) -> Iterator[Problem]:
    """Replicates nothing tells apart compute the same thing again."""
    filled_in = _filled_in(ensemble)
    for block in ensemble.blocks if _has_template(ensemble) else ():
        used = _used(filled_in, block)
        for source in block.sources:
            if isinstance(source, Replicates) and source.n > 1 and not {source.name, REPLICATE} & used:
                message = f"all {source.n} replicates are the same job: it takes neither `{source.name}` nor `replicate`"
                hint = f"put {{{{ {source.name} }}}} into the template"
                yield Problem("replicates-alike", source.path, message, hint, "warning")


Rule = Callable[[Ensemble], Iterator[Problem]]
ABOUT_NAMES: tuple[Rule, ...] = (
    check_when,
    check_when_order,
    check_bounds,
    check_tables,
    check_derive,
    check_exclude,
    check_templates,
    check_foreign,
    check_absent,
    check_tags,
    check_start,
)
"""They rest on nothing that another rule has to find right first."""

RULES: tuple[Rule, ...] = (*ABOUT_NAMES, check_former, check_unused, check_replicates, check_drawn)
