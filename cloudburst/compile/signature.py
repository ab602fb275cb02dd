"""Does the function the entrypoint names exist, is it one a job can call, do its arguments fit?

By reading the syntax tree, never by importing. A function with exactly one parameter that is no key of the job
gets the whole description; otherwise the keys are keyword arguments.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .. import diagnostics
from ..diagnostics import Problem
from ..spec.ensemble import Ensemble

ENTRYPOINT: diagnostics.Path = ("worker", "entrypoint")

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Sample(Protocol):
    """What of a `Job` is looked at here."""

    @property
    def row(self) -> Any: ...
    @property
    def description(self) -> Mapping[str, Any]: ...
    @property
    def argv(self) -> tuple[str, ...] | None: ...


@dataclass(frozen=True)
class Module:
    """The source of the entrypoint's module. `shown` is its path as the user would write it."""

    shown: str
    tree: ast.Module


def note(reason: str) -> Problem:
    return Problem(
        "checked-later",
        ENTRYPOINT,
        f"{reason}: whether a job fits it is checked before the first job",
        severity="note",
    )


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one most like it; case and a letter or two do not count."""
    by_lower = {candidate.lower(): candidate for candidate in names}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


def did_you_mean(name: str | None) -> str:
    return f'did you mean "{name}"?' if name else ""


# ── the function ─────────────────────────────────────────────────────────────────
def check_function(
    module: Module, name: str, ensemble: Ensemble, samples: Sequence[Sample]
) -> Iterator[Problem]:
    outer, _, inner = name.partition(".")
    bound = _bindings(module.tree)
    what = bound.get(outer)
    if what is None:
        yield _no_function(module, outer, bound)
    elif not isinstance(what, Function) or what.decorator_list or inner:
        yield note(f"{name} in {module.shown} is {_described(what, inner)}")
    elif what not in module.tree.body:
        yield note(f"{name} at {module.shown}:{what.lineno} is defined under a condition")
    elif isinstance(what, ast.AsyncFunctionDef):
        yield _wrong_kind(module, what, "an async function", "write `def`; a job is awaited by nobody")
    elif _yields(what):
        yield _wrong_kind(
            module, what, "a generator", "collect the values and return them: a job has one result"
        )
    else:
        yield from _check_arguments(_Signature.of(what, module), ensemble, samples)


def _no_function(module: Module, name: str, bound: Mapping[str, ast.AST]) -> Problem:
    if "*" in bound or "__getattr__" in bound:
        return note(f"{name} is not defined in {module.shown} itself")
    functions = [n for n, what in bound.items() if isinstance(what, Function)]
    return Problem(
        "no-function",
        ENTRYPOINT,
        f'there is no function "{name}" in {module.shown}',
        hint=did_you_mean(nearest(name, functions)) or _there_is(functions),
    )


def _there_is(functions: Sequence[str]) -> str:
    public = [name for name in functions if not name.startswith("_")]
    return f"it defines {', '.join(public[:5])}" if public else "it defines no function"


def _wrong_kind(module: Module, function: Function, what: str, hint: str) -> Problem:
    return Problem(
        "wrong-kind-of-function",
        ENTRYPOINT,
        f"{function.name} at {module.shown}:{function.lineno} is {what}",
        hint=hint,
    )


def _described(what: ast.AST, inner: str) -> str:
    if inner:
        return "an attribute"
    if isinstance(what, ast.ClassDef):
        return "a class"
    if isinstance(what, ast.Import | ast.ImportFrom):
        return "imported from elsewhere"
    if isinstance(what, Function):
        return "decorated"
    return "assigned, not defined"


def _bindings(tree: ast.Module) -> dict[str, ast.AST]:
    """Every name the module's top level binds, the last binding winning; `*` for an import of everything."""
    bound: dict[str, ast.AST] = {}
    for statement in _statements(tree.body):
        for name in _bound_by(statement):
            bound[name] = statement
    return bound


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Also those inside `if`, `try`, `with` and loops; not those of functions and classes."""
    for statement in body:
        yield statement
        if not isinstance(statement, Function | ast.ClassDef):
            for _, part in ast.iter_fields(statement):
                if isinstance(part, list):
                    yield from _statements(s for s in part if isinstance(s, ast.stmt))
                    handlers = (h for h in part if isinstance(h, ast.ExceptHandler | ast.match_case))
                    for handler in handlers:
                        yield from _statements(handler.body)


def _bound_by(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, Function | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Import | ast.ImportFrom):
        for alias in statement.names:
            yield alias.asname or alias.name.partition(".")[0]
    else:
        for node in ast.walk(statement) if isinstance(statement, _ASSIGNING) else ():
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id


_ASSIGNING = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr)


def _yields(function: ast.FunctionDef) -> bool:
    """Whether `yield` is the function's own, not that of one inside it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(node, Function | ast.Lambda | ast.ClassDef | ast.GeneratorExp):
            waiting.extend(ast.iter_child_nodes(node))
    return False


# ── the arguments ────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class _Signature:
    """Names of parameters by how they can be given. `place` is `net3/net3.py:14`."""

    name: str
    place: str
    positional_only: tuple[str, ...]
    plain: tuple[str, ...]
    keyword_only: tuple[str, ...]
    required: tuple[str, ...]
    takes_any_positional: bool
    takes_any_keyword: bool

    @classmethod
    def of(cls, function: ast.FunctionDef, module: Module) -> _Signature:
        arguments = function.args
        in_order = [*arguments.posonlyargs, *arguments.args]
        without_default = in_order[: len(in_order) - len(arguments.defaults)]
        named = [
            a
            for a, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
            if default is None
        ]
        return cls(
            function.name,
            f"{module.shown}:{function.lineno}",
            tuple(a.arg for a in arguments.posonlyargs),
            tuple(a.arg for a in arguments.args),
            tuple(a.arg for a in arguments.kwonlyargs),
            tuple(a.arg for a in (*without_default, *named)),
            arguments.vararg is not None,
            arguments.kwarg is not None,
        )

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.plain, *self.keyword_only)

    def takes_whole(self, keys: Collection[str]) -> bool:
        """Exactly one parameter, and its name is no key of the job: it gets the whole description."""
        positional = (*self.positional_only, *self.plain)
        alone = len(positional) == 1 and not self.keyword_only
        return (
            alone
            and not self.takes_any_positional
            and not self.takes_any_keyword
            and positional[0] not in keys
        )


def _check_arguments(
    signature: _Signature, ensemble: Ensemble, samples: Sequence[Sample]
) -> Iterator[Problem]:
    """Every sample is asked, since rows may lack a key; each thing wrong is said once."""
    said: set[tuple[str, str]] = set()
    for sample in samples:
        for code, name, problem in _misfits(signature, sample, ensemble):
            if (code, name) not in said:
                said.add((code, name))
                yield problem


def _misfits(signature: _Signature, sample: Sample, ensemble: Ensemble) -> Iterator[tuple[str, str, Problem]]:
    keys = sample.description.keys()
    if signature.takes_whole(keys):
        return
    for name in signature.positional_only:
        if name in signature.required:
            yield "positional", name, _positional_only(signature, name)
    for key in keys:
        if key not in signature.names and not signature.takes_any_keyword:
            yield "unknown", key, _unknown_key(signature, key, ensemble)
    for name in signature.required:
        if name not in keys and name not in signature.positional_only:
            yield "missing", name, _missing_key(signature, name, sample)


def _positional_only(signature: _Signature, name: str) -> Problem:
    return Problem(
        "job-does-not-fit",
        ENTRYPOINT,
        f'"{name}" of {signature.name}() at {signature.place} is positional only, and a job gives its keys by name',
        hint="remove the `/` from the parameters",
    )


def _unknown_key(signature: _Signature, key: str, ensemble: Ensemble) -> Problem:
    near = nearest(key, signature.names)
    whole = f"take the whole description with one parameter: def {signature.name}(job)"
    return Problem(
        "job-does-not-fit",
        ENTRYPOINT,
        f'{signature.name}() at {signature.place} has no parameter "{key}", which is a key of the job',
        hint=did_you_mean(near) or whole,
        related=_where(key, ensemble),
    )


def _missing_key(signature: _Signature, name: str, sample: Sample) -> Problem:
    keys = sample.description.keys()
    spare = [key for key in keys if key not in signature.names]
    near = nearest(name, spare)
    hint = did_you_mean(near)
    if not hint and name in ("job", "description", "parameters", "params", "config"):
        hint = f"a function that takes the whole description has one parameter: def {signature.name}({name})"
    return Problem(
        "job-does-not-fit",
        ENTRYPOINT,
        f'{signature.name}() at {signature.place} needs "{name}", which the job of row {sample.row.index} does not have',
        hint=hint or f'give "{name}" a default, or add it to the parameters or to `job`',
    )


def _where(key: str, ensemble: Ensemble) -> tuple[tuple[diagnostics.Path, str], ...]:
    if ensemble.job is not None:
        return ((("job", key), "the key"),) if key in ensemble.job else ()
    for block in ensemble.blocks:
        for source in (*block.fixed, *block.sources, *block.derive):
            if getattr(source, "name", None) == key:
                return ((source.path, "the parameter"),)
    return ()


def check_setup(module: Module) -> Iterator[Problem]:
    """`setup()` is called once per runner, without arguments."""
    setup = _bindings(module.tree).get("setup")
    if isinstance(setup, ast.FunctionDef) and not setup.decorator_list:
        required = _Signature.of(setup, module).required
        if required:
            yield Problem(
                "setup-arguments",
                ENTRYPOINT,
                f'setup() at {module.shown}:{setup.lineno} needs "{required[0]}", and is called without arguments',
                hint="a function `setup` runs once before the first job; rename this one if it is something else",
            )
