"""The user's function: finding it, and giving it a job the way it wants it."""

from __future__ import annotations

import difflib
import importlib
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

_HERE = os.path.dirname(os.path.abspath(__file__))


class Broken(Exception):
    """No job of this order can run; first line a sentence, then what Python said."""


class DoesNotFit(Exception):
    """The function cannot take the keys of this job."""


# ── finding it ───────────────────────────────────────────────────────────────────────────────
def load(entrypoint: str, payload: str) -> Entrypoint:
    """Imports `module:function` with the payload first on the path and calls `setup()` if there is one.

    Raises Broken for a missing module or function, for an import or a `setup()` that fails.
    """
    name, _, attribute = entrypoint.partition(":")
    module = _import(name, payload)
    function = _find(module, name, attribute)
    _set_up(module, payload)
    return Entrypoint(attribute, function)


def _import(name: str, payload: str) -> ModuleType:
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise Broken(_no_module(name, payload)) from None
        raise Broken(_explain(f"importing `{name}` failed", error, payload)) from None
    except BaseException as error:
        raise Broken(_explain(f"importing `{name}` failed", error, payload)) from None
    if _is_shadowed(module, name, payload):
        raise Broken(
            f"`{name}` in the worker directory has the name of a module of Python's own, which was imported instead: "
            "give the file another name"
        )
    return module


def _no_module(name: str, payload: str) -> str:
    modules = sorted(entry[:-3] for entry in os.listdir(payload) if entry.endswith(".py"))
    close = difflib.get_close_matches(name, modules, n=1)
    hint = (
        f": did you mean `{close[0]}`?" if close else f" (it has {', '.join(modules[:8]) or 'no .py file'})"
    )
    return f"there is no module `{name}` in the worker directory{hint}"


def _is_shadowed(module: ModuleType, name: str, payload: str) -> bool:
    top = os.path.join(payload, name.partition(".")[0])
    file = getattr(module, "__file__", None) or ""
    return (os.path.isfile(top + ".py") or os.path.isfile(os.path.join(top, "__init__.py"))) and not (
        os.path.realpath(file).startswith(os.path.realpath(payload) + os.sep)
    )


def _find(module: ModuleType, name: str, attribute: str) -> Callable[..., Any]:
    found: Any = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            functions = [
                n for n, v in vars(module).items() if inspect.isfunction(v) and not n.startswith("_")
            ]
            close = difflib.get_close_matches(part, functions, n=1)
            hint = f": did you mean `{close[0]}`?" if close else ""
            raise Broken(f"module `{name}` has no function `{attribute}`{hint}")
        found = getattr(found, part)
    if not callable(found):
        raise Broken(f"`{name}:{attribute}` is no function but {type(found).__name__}")
    function: Callable[..., Any] = found
    return function


def _set_up(module: ModuleType, payload: str) -> None:
    """Calls the module's own `setup()`; one that was imported from elsewhere or needs arguments is not ours."""
    setup = getattr(module, "setup", None)
    if not inspect.isfunction(setup) or setup.__module__ != module.__name__:
        return
    try:
        inspect.signature(setup).bind()
    except TypeError:
        return
    try:
        setup()
    except BaseException as error:
        raise Broken(_explain(f"setup() of `{module.__name__}` failed", error, payload)) from None


# ── calling it ───────────────────────────────────────────────────────────────────────────────
class Entrypoint:
    """Calls the function: `work(job)` or `work(**job)`, by its signature and the keys of the job."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self._name = name
        self._function = function
        self._ways: dict[frozenset[str], bool] = {}
        try:
            self._signature: inspect.Signature | None = inspect.signature(function)
        except (TypeError, ValueError):  # some functions written in C do not tell
            self._signature = None

    def __call__(self, job: Mapping[str, Any]) -> Any:
        """Calls the function. Raises DoesNotFit before it starts when the keys cannot be given to it."""
        keys = frozenset(job)
        way = self._ways.get(keys)
        if way is None:
            way = self._ways[keys] = self._takes_whole(keys)
        return self._function(job) if way else self._function(**job)

    def _takes_whole(self, keys: frozenset[str]) -> bool:
        if self._signature is None:
            return False
        parameters = list(self._signature.parameters.values())
        by_keyword = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        if len(parameters) == 1 and parameters[0].kind not in by_keyword and parameters[0].name not in keys:
            return True
        self._check(self._signature, keys)
        return False

    def _check(self, signature: inspect.Signature, keys: frozenset[str]) -> None:
        try:
            signature.bind(**dict.fromkeys(keys))
            return
        except TypeError as error:
            reason = str(error)
        parameters = signature.parameters.values()
        unknown = sorted(keys - {parameter.name for parameter in parameters})
        needed = [
            p.name
            for p in parameters
            if p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
        ]
        missing = [name for name in needed if name not in keys]
        has = f"the job has {', '.join(f'`{key}`' for key in sorted(keys))}" if keys else "the job is empty"
        if missing:
            reason = f"it needs `{missing[0]}`, and {has}"
        elif unknown:
            reason = f"it takes no `{unknown[0]}`, and {has}"
        raise DoesNotFit(f"{self._name}{signature} cannot take this job: {reason}")


# ── telling what went wrong ──────────────────────────────────────────────────────────────────
def _explain(sentence: str, error: BaseException, payload: str) -> str:
    """A sentence, a way out, and where it happened: a line each, and the traceback."""
    last, _, where = explain(error, payload).partition("\n")
    return f"{sentence}: {last}\n{_way_out(error)}\n{where.strip()}".rstrip()


def _way_out(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"add {error.name.partition('.')[0]} to the requirements in the worker directory, or mend the import"
    return "mend it and apply again; no job has begun"


def explain(error: BaseException, payload: str) -> str:
    """The last line of the traceback, then the traceback from the user's first frame on.

    Paths inside the payload are written relative to it, as the user knows them.
    """
    frames = error.__traceback__
    while frames is not None and _is_ours(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    last = traceback.format_exception_only(type(error), error)[-1].strip()
    whole = "".join(traceback.format_exception(type(error), error, frames)) if frames is not None else ""
    text = f"{last}\n\n{whole}".rstrip() if whole else last
    return text.replace(os.path.join(payload, ""), "")


def _is_ours(file: str) -> bool:
    return file.startswith((_HERE, "<frozen importlib")) or file == importlib.__file__


def put_first(payload: str) -> None:
    """Makes the payload's directory the first place modules come from, instead of this program's."""
    sys.path[0] = payload
    importlib.invalidate_caches()
