"""Expressions and templates: Jinja's language over one row's values. The only home of jinja2.

Sandboxed and strict: no statements, no methods, no attributes but a map's keys, no functions but
those of `FUNCTIONS`, and nothing that can fill the memory. Everything is compiled once and then
called with a map of names to values.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from math import inf, isfinite
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.nodes import EvalContext
from jinja2.parser import Parser
from jinja2.runtime import Context, StrictUndefined, Undefined
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import missing as MISSING  # noqa: N812  Jinja's own mark for "no such name"

from ..errors import CloudBurstError
from ..spec.ensemble import Value
from . import elementary, failures

Scope = Mapping[str, Any]
"""The names an expression can see, with their values in one row."""

LONGEST_SOURCE = 10_000
MOST_TOKENS = 1_000
"""Names, numbers, texts and signs of one expression. Beyond some thousand, Python's compiler runs out of stack."""

LONGEST_TEXT = 1 << 20
"""That an expression may give: of a file, or of a table."""

MOST_MADE = 10_000
"""Characters, and values of a list, that an operator may make."""

MOST_ITEMS = 1 << 16
MOST_DEPTH = 64
"""Lists and maps inside each other, as in a file."""

MOST_BITS = 4096
"""Of an integer: about 1,200 digits."""


class ExpressionError(CloudBurstError):
    """An expression that cannot be read, or that fails on a row's values: those of `names`, where it is known."""

    exit_code = 2
    names: frozenset[str] = frozenset()


class AbsentName(ExpressionError):
    """The expression needs a name this row does not have."""

    def __init__(self, source: str, name: str) -> None:
        where = "" if source == name else f", which `{_short(source)}` needs"
        super().__init__(
            f"there is no `{name}` in this row{where}",
            f"where it may be missing, ask first: `… if {name} is defined else …`",
        )
        self.name = name


# ── what expressions may call ────────────────────────────────────────────────────────────────
def _strict(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, refusing a missing name by its name."""

    def strict(*arguments: Any) -> Any:
        for argument in arguments:
            if isinstance(argument, Undefined):
                str(argument)  # raises
        return function(*arguments)

    return strict


def _round(number: float, digits: int | None = None) -> float:
    if digits is not None and abs(digits) > 400:
        raise ValueError("round() takes at most 400 digits")
    return round(number, digits)


def _int(value: str | float) -> int:
    if isinstance(value, str) and len(value) > MOST_BITS:
        raise ValueError("the number would have more than 1,200 digits")
    return int(value)


def as_text(value: Any) -> str:
    """A value inside a longer text: maps and lists as JSON, everything else as Jinja prints it."""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


_PLAIN: Mapping[str, Callable[..., Any]] = {
    "abs": abs,
    "min": min,
    "max": max,
    "round": _round,
    "floor": math.floor,
    "ceil": math.ceil,
    "sqrt": math.sqrt,
    "exp": elementary.exp,
    "log": elementary.log,
    "log10": elementary.log10,
    "sin": elementary.sin,
    "cos": elementary.cos,
    "tan": elementary.tan,
    "int": _int,
    "float": float,
    "str": lambda value: _text_of(value),
}
_CALLABLE = {name: _strict(function) for name, function in _PLAIN.items()}
FUNCTIONS: Mapping[str, Any] = {**_CALLABLE, "pi": math.pi}
"""What every expression can name besides the row's values. A parameter of the same name wins."""

_CALLABLE_IDS = frozenset(map(id, _CALLABLE.values()))
_TESTS = frozenset(
    ["defined", "undefined", "none", "number", "integer", "float", "string", "boolean", "mapping", "sequence"]
    + ["odd", "even", "divisibleby", "in", "true", "false"]
)


def _default(value: Any, otherwise: Any) -> Any:
    return otherwise if isinstance(value, Undefined) else value


# ── operators that could fill the memory ─────────────────────────────────────────────────────
def _times(left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, int):
        _refuse_digits(left.bit_length() + right.bit_length())
    for sequence, repeat in ((left, right), (right, left)):
        if isinstance(sequence, str | list | tuple) and isinstance(repeat, int):
            _refuse_length(_size(sequence) * repeat)
    return left * right


def _plus(left: Any, right: Any) -> Any:
    if isinstance(left, str | list | tuple) and isinstance(right, str | list | tuple):
        _refuse_length(_size(left) + _size(right))
    return left + right


def _join(*parts: Any) -> str:
    """`~`: everything as text."""
    texts = [_text_of(part) for part in parts]
    _refuse_length(sum(map(len, texts)))
    return "".join(texts)


def _text_of(value: Any) -> str:
    if isinstance(value, list | tuple | dict):
        _refuse_length(_size(value))
    return str(value) if isinstance(value, Undefined) else as_text(value)  # the former raises


def _size(value: Any) -> int:
    """Characters of a text, values of a list with those of what is in it; no more are counted than are too many."""
    if isinstance(value, str):
        return len(value)
    size, open_ones = 0, [iter((value,))]
    while open_ones and size <= MOST_MADE:
        for item in open_ones[-1]:
            size += 1
            if isinstance(item, list | tuple | dict):
                open_ones.append(iter(item.values() if isinstance(item, dict) else item))
                break
            if size > MOST_MADE:
                break
        else:
            open_ones.pop()
    return size - 1


def _refuse_length(length: int) -> None:
    if length > MOST_MADE:
        raise ValueError(f"the result would be longer than {MOST_MADE:,}")


def _power(base: Any, exponent: Any) -> Any:
    if not (isinstance(base, int | float) and isinstance(exponent, int | float)):
        return base**exponent  # raises, and says of what
    if isinstance(base, int) and isinstance(exponent, int):
        _refuse_digits(abs(base.bit_length() * exponent))
    return elementary.power(base, exponent)


def _refuse_digits(bits: int) -> None:
    if bits > MOST_BITS:
        raise ValueError("the number would have more than 1,200 digits")


def _modulo(left: Any, right: Any) -> Any:
    if isinstance(left, str):
        raise TypeError("% is for numbers; put texts together with ~")
    return left % right


# ── the sandbox ──────────────────────────────────────────────────────────────────────────────
class _NameMissing(jinja2.UndefinedError):
    """Used a name the row does not have."""

    def __init__(self, name: str, message: str | None = None) -> None:
        super().__init__(message)
        self.name = name


class _Missing(StrictUndefined):
    """What a missing name gives: any use of it but asking whether it is defined raises."""

    __slots__ = ()

    def __init__(
        self,
        hint: str | None = None,
        obj: Any = MISSING,
        name: str | None = None,
        exc: Any = jinja2.UndefinedError,
    ) -> None:
        is_name = hint is None and obj is MISSING
        super().__init__(hint, obj, name, partial(_NameMissing, name) if is_name else exc)  # type: ignore[arg-type]


class _Scope(Context):
    """Jinja's context over a plain map of values, with our functions behind it.

    Its own constructor costs more than most expressions: here what never differs is shared.
    """

    def __init__(self, environment: SandboxedEnvironment, evaluation: EvalContext, values: Scope) -> None:
        self.parent = values  # type: ignore[assignment]  # read, never written
        self.vars = {}
        self.exported_vars = set()
        self.environment, self.eval_ctx = environment, evaluation
        self.name, self.blocks, self.globals_keys = None, _NO_BLOCKS, _NO_NAMES

    def resolve_or_missing(self, key: str) -> Any:
        value = self.parent.get(key, MISSING)
        return FUNCTIONS.get(key, MISSING) if value is MISSING else value


_NO_BLOCKS: dict[str, Any] = {}
_NO_NAMES: set[str] = set()


class _Parser(Parser):
    """Jinja's parser, asking for parentheses where its powers are not those of mathematics.

    It reads -x ** 2 as (-x) ** 2 and a ** b ** c as (a ** b) ** c.
    """

    def parse_concat(self) -> nodes.Expr:
        """`~` as a call of ours, which knows a limit."""
        first, lineno, others = self.parse_math2(), self.stream.current.lineno, []
        while self.stream.skip_if("tilde"):
            others.append(self.parse_math2())
        return nodes.Filter(first, "~", others, [], None, None, lineno=lineno) if others else first

    def parse_pow(self) -> nodes.Expr:
        is_signed = self.stream.current.type in ("sub", "add")
        left, lineno = self.parse_unary(), self.stream.current.lineno
        if not self.stream.skip_if("pow"):
            return left
        if is_signed:
            self.fail("parentheses have to say which is meant, (-x) ** y or -(x ** y)")
        power = nodes.Pow(left, self.parse_unary(), lineno=lineno)
        if self.stream.current.type == "pow":
            self.fail("parentheses have to say which is meant, (x ** y) ** z or x ** (y ** z)")
        return power


class _Sandbox(SandboxedEnvironment):
    intercepted_binops = frozenset(["+", "*", "**", "%"])

    def __init__(self) -> None:
        # Only {{ }} means something here; the other marks hold a character no text has.
        super().__init__(
            undefined=_Missing,
            autoescape=False,
            keep_trailing_newline=True,
            block_start_string="\0%",
            block_end_string="%\0",
            comment_start_string="\0#",
            comment_end_string="#\0",
        )
        self.globals.clear()
        self.filters = {**_CALLABLE, "default": _default, "~": _join}
        self.tests = {name: self.tests[name] for name in _TESTS}
        self.binop_table |= {"+": _plus, "*": _times, "**": _power, "%": _modulo}

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        return _Parser(self, source, name, filename).parse()

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(argument, str) and not isinstance(obj, Mapping | Undefined):
            raise TypeError(f"`.{argument}` is for maps; texts, numbers and lists have nothing of that name")
        try:
            return obj[argument]
        except LookupError:
            return self.undefined(f"there is no {argument!r} in it")

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        if kwargs:
            raise TypeError("the functions take no named arguments")
        if id(__obj) in _CALLABLE_IDS:
            return __obj(*args)
        if isinstance(__obj, Undefined):
            str(__obj)  # raises
        raise TypeError("only the functions can be called")


_SANDBOX = _Sandbox()
_FUNCTION_LIST = "the functions are: " + " ".join(FUNCTIONS)


# ── expressions ──────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, eq=False, slots=True)
class Expression:
    """One compiled expression.

    `names` are all the names in it, those of functions too; `asked` those it copes without
    (`x is defined`, `x | default(0)`); `inputs` the names it takes as `inputs.name`; `name` the
    one name that is all of it.
    """

    source: str
    names: frozenset[str]
    asked: frozenset[str]
    inputs: frozenset[str]
    name: str | None
    run: Callable[[Scope], Any]

    def __call__(self, scope: Scope) -> Value:
        """The value: JSON and finite. Raises `AbsentName`, or `ExpressionError` saying what failed."""
        try:
            result = self.run(scope)
            kind = type(result)
            return result if kind is int or kind is bool else _as_value(result)
        except Exception as error:
            raise self._failure(error) from error

    def holds(self, scope: Scope) -> bool:
        """The value as a condition. One that needs a parameter this row does not have is false."""
        try:
            return bool(self(scope))
        except AbsentName:
            return False

    def _failure(self, error: Exception) -> ExpressionError:
        if isinstance(error, _NameMissing):
            return AbsentName(self.source, error.name)
        reason, hint = failures.failed(str(error) or type(error).__name__)
        failure = ExpressionError(f"`{_short(self.source)}` fails: {reason}", hint)
        failure.names = self.names
        return failure


@cache
def expression(source: str) -> Expression:
    """Compile a bare expression. Raises `ExpressionError` with what is wrong and a hint."""
    if not source.strip():
        raise ExpressionError("the expression is empty")
    parts = _read("{{ " + source + " }}", source)
    if len(parts) != 1 or isinstance(parts[0], str):
        raise ExpressionError(
            f"`{_short(source)}` is more than one expression", "an expression stands without {{ }} here"
        )
    return _compiled(source.strip(), parts[0])


@cache
def text(source: str) -> tuple[str | Expression, ...]:
    """The parts of a text with {{ }}, in order: plain text and expressions."""
    parts = _read(source, source)
    whole = source.strip().removeprefix("{{").removesuffix("}}").strip() if len(parts) == 1 else source
    return tuple(part if isinstance(part, str) else _compiled(whole, part) for part in parts)


_TOKEN = re.compile(r"\w+|'[^']*'|\"[^\"]*\"|[^\w\s]")
_SPOT = re.compile(r"\{\{(.*?)(?:\}\}|\Z)", re.DOTALL)


def tokens(source: str) -> int:
    """How many names, numbers, texts and signs there are: of a text with {{ }}, between these."""
    spots = _SPOT.findall(source) if "{{" in source else [source]
    return sum(len(_TOKEN.findall(spot)) for spot in spots)


def _read(jinja: str, source: str) -> list[str | nodes.Expr]:
    if len(source) > LONGEST_SOURCE:
        raise ExpressionError(
            f"the expression has {len(source):,} characters; at most {LONGEST_SOURCE:,} can be read"
        )
    if "\0" in source:
        raise ExpressionError("the text holds the character U+0000")
    if tokens(source) > MOST_TOKENS:
        raise ExpressionError(
            f"`{_short(source)}` is too long to be computed: it has {tokens(source):,} names, numbers and signs",
            f"at most {MOST_TOKENS:,} of them can stand in one text; let the worker compute it",
        )
    try:
        tree = _SANDBOX.parse(jinja)
    except (jinja2.TemplateError, RecursionError) as error:
        raise _unreadable(source, error, in_text=jinja == source) from error
    outputs = [part for output in tree.body if isinstance(output, nodes.Output) for part in output.nodes]
    return [part.data if isinstance(part, nodes.TemplateData) else part for part in outputs]


def _compiled(source: str, tree: nodes.Expr) -> Expression:
    try:
        return _understood(source, tree)
    except RecursionError as error:
        raise _unreadable(source, error) from error


def _understood(source: str, tree: nodes.Expr) -> Expression:
    output = nodes.Output([tree])  # so that find_all sees the top node too
    _refuse_unclear(source, output)
    return Expression(
        source=source,
        names=frozenset(node.name for node in output.find_all(nodes.Name)),
        asked=frozenset(_asked(output)),
        inputs=frozenset(_inputs(output)),
        name=tree.name if isinstance(tree, nodes.Name) else None,
        run=_runner(source, tree),
    )


def _refuse_unclear(source: str, output: nodes.Output) -> None:
    """What Jinja would let pass and give a surprise later."""
    if any(node.expr2 is None for node in output.find_all(nodes.CondExpr)):
        raise ExpressionError(
            f"`{_short(source)}` has an `if` without `else`", "write `a if condition else b`"
        )
    if any(node.value in (inf, -inf) for node in output.find_all(nodes.Const)):
        raise ExpressionError(f"`{_short(source)}` has a number that is too large")


def _asked(output: nodes.Output) -> Iterator[str]:
    for kind in (nodes.Test, nodes.Filter):
        for node in output.find_all(kind):
            if node.name in ("defined", "undefined", "default") and isinstance(node.node, nodes.Name):
                yield node.node.name


def _inputs(output: nodes.Output) -> Iterator[str]:
    for by_name in output.find_all(nodes.Getattr):
        if _is_inputs(by_name.node):
            yield by_name.attr
    for by_text in output.find_all(nodes.Getitem):
        if _is_inputs(by_text.node) and isinstance(by_text.arg, nodes.Const):
            yield str(by_text.arg.value)


def _is_inputs(node: nodes.Expr) -> bool:
    return isinstance(node, nodes.Name) and node.name == "inputs"


_RESULT = "_cloudburst_result"


def _runner(source: str, tree: nodes.Expr) -> Callable[[Scope], Any]:
    if isinstance(tree, nodes.Name) and tree.name not in FUNCTIONS:
        return partial(_look_up, tree.name)
    assignment = nodes.Assign(nodes.Name(_RESULT, "store"), tree, lineno=1)
    try:
        template = _SANDBOX.from_string(nodes.Template([assignment], lineno=1))
    except (jinja2.TemplateError, MemoryError, SyntaxError) as error:
        raise _unreadable(source, error) from error
    render, evaluation = template.root_render_func, EvalContext(_SANDBOX)

    def run(scope: Scope) -> Any:
        context = _Scope(_SANDBOX, evaluation, scope)
        for _ in render(context):
            pass
        return context.vars[_RESULT]

    return run


def _look_up(name: str, scope: Scope) -> Any:
    try:
        return scope[name]
    except KeyError:
        raise _NameMissing(name) from None


def _as_value(result: Any) -> Value:
    if isinstance(result, str):
        if len(result) > LONGEST_TEXT:
            raise ValueError(f"the text would be longer than {LONGEST_TEXT:,} characters")
        return result
    if isinstance(result, float):
        if not isfinite(result):
            raise ValueError(f"the result is {result}, not a finite number")
        return result
    if isinstance(result, Undefined):
        str(result)  # raises
    return _json(result, [MOST_ITEMS], MOST_DEPTH)


def _json(value: Any, left: list[int], depth: int) -> Value:
    """The value with tuples as lists. `left[0]` is how many more items it may hold."""
    left[0] -= 1
    if left[0] < 0:
        raise ValueError(f"the result would have more than {MOST_ITEMS:,} items")
    if depth < 0:
        raise ValueError(f"lists and maps would stand more than {MOST_DEPTH} deep in the result")
    if isinstance(value, list | tuple):
        return [_json(item, left, depth - 1) for item in value]
    if isinstance(value, dict):
        return {_key(key): _json(item, left, depth - 1) for key, item in value.items()}
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, str | float | Undefined):
        return _as_value(value)
    raise TypeError(f"the result is a {type(value).__name__}, which JSON cannot hold")


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError("the keys of a map are texts")
    return key


# ── what is wrong with the text of an expression ─────────────────────────────────────────────
def _short(source: str) -> str:
    return source if len(source) <= 80 else f"{source[:77]}…"


def _unreadable(source: str, error: BaseException, *, in_text: bool = False) -> ExpressionError:
    if not isinstance(error, jinja2.TemplateError):
        return ExpressionError(f"`{_short(source)}` cannot be read: it is nested too deeply")
    reason, hint = failures.unread(error.message or "", source, in_text=in_text)
    if isinstance(error, jinja2.TemplateAssertionError):
        hint = _FUNCTION_LIST
    return ExpressionError(f"`{_short(source)}` cannot be read: {reason}", hint)
