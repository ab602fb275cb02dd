"""Pass 2: what schemas/ensemble.schema.json says about the values, in words. The only home of jsonschema.

The validator's own sentences are never read: a mistake is translated by its keyword, from the schema and the
value alone. Titles, descriptions and examples of the schema are what an editor shows; here they make the hints.
"""

from __future__ import annotations

import copy
import difflib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any, Final

from .. import assets
from ..diagnostics import MOST_TOLD, Path, Problem, are_too_many, first_told, too_many
from ..words import listed
from .later import address, later_key, later_value
from .scalars import invisible, shortened


@dataclass(frozen=True)
class Mistake:
    """One keyword of the schema that one value does not keep. `crowd`: maps that hold unknown keys."""

    path: Path
    value: Any
    rule: Any
    schema: Mapping[str, Any]
    crowd: frozenset[Path]

    @property
    def title(self) -> str:
        return str(self.schema.get("title", "value"))

    @property
    def subject(self) -> str:
        """What a sentence calls the value: by its key, or by what its list holds."""
        if not self.path:
            return "the file"
        return f'"{shortened(self.path[-1])}"' if isinstance(self.path[-1], str) else f"this {self.title}"


# ── the pass ─────────────────────────────────────────────────────────────────────────────────
def validate(value: Any) -> tuple[Problem, ...]:
    """What the schema has against `value`, in the order it is found: everything, or so much that it is enough."""
    return tuple(first_told(_problems(value)))


def _problems(value: Any) -> Iterator[Problem]:
    errors = list(islice(_validator().iter_errors(value), MOST_TOLD + 1))
    crowd = frozenset(tuple(e.absolute_path) for e in errors if e.validator == "additionalProperties")
    for error in errors:
        path = tuple(error.absolute_path)
        mistake = Mistake(path, error.instance, error.validator_value, _telling(path, error.schema), crowd)
        yield from _TRANSLATIONS[error.validator](mistake)
    if len(errors) > MOST_TOLD:
        yield too_many(())


def sound(value: Any, wrong: Iterable[Path]) -> dict[str, Any] | None:
    """What is left of `value` without what is `wrong`, or None when too little is.

    So a study with a misspelt key still has its zip lengths checked, and all mistakes are seen at once. It is
    never computed with: where something was cut, the study has errors.
    """
    cuts = {_down_to_a_key(path) for path in wrong}
    if not cuts and isinstance(value, dict):
        return value
    left = copy.deepcopy(value)
    while isinstance(left, dict):
        for path in cuts:
            _cut(left, path)
        left = _STAND_INS | left
        found = validate(left)
        cuts = {_down_to_a_key(problem.path) for problem in found}
        if are_too_many(found):
            break
        if not cuts:
            return left
        if () in cuts:
            break
    return None


_STAND_INS: dict[str, Any] = {
    "cloudburst": 1,
    "name": "unnamed",
    "worker": {"directory": "worker", "entrypoint": "module:function"},
    "parameters": {},
}


def _down_to_a_key(path: Path) -> Path:
    """What can be taken out without moving its neighbours: not one of a list, but the list."""
    while path and isinstance(path[-1], int):
        path = path[:-1]
    return path


def _cut(left: Any, path: Path) -> None:
    """`path` ends with a key, or is the whole and stays."""
    try:
        for part in path[:-1]:
            left = left[part]
        del left[path[-1]]
    except (LookupError, TypeError):
        return  # cut already, with something around it


# ── the validator ────────────────────────────────────────────────────────────────────────────
@cache
def _validator() -> Any:
    """Imported here: who only builds an Ensemble from its normal form (the controller) needs no validator."""
    from jsonschema.exceptions import ValidationError
    from jsonschema.validators import Draft7Validator, extend

    def matches(_: Any, pattern: str, instance: Any, __: Any) -> Iterator[ValidationError]:
        # In Python "$" also stands before a last newline, in the schema's own language it does not.
        if isinstance(instance, str) and not re.search(pattern.replace("$", r"\Z"), instance):
            yield ValidationError("pattern")

    validator: Any = extend(Draft7Validator, {"pattern": matches})  # type: ignore[no-untyped-call]
    return validator(the_schema())


@cache
def the_schema() -> dict[str, Any]:
    """schemas/ensemble.schema.json."""
    text: dict[str, Any] = json.loads(assets.schema("ensemble").read_text("utf-8"))
    return text


# ── what stands where ────────────────────────────────────────────────────────────────────────
def _telling(path: Path, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """A schema that only says what is needed (`whole`), with what the others say of the same place."""
    if schema.keys() & {"title", "description", "examples"}:
        return schema
    telling = {key: item for one in reversed(_schemas_at(path)) for key, item in one.items()}
    return telling | {key: item for key, item in schema.items() if key != "properties"}


def alternatives(path: Path) -> tuple[frozenset[str], ...]:
    """Sets of keys of which the map at `path` can have one each."""
    rules = [one["oneOf"] for one in _schemas_at(path) if "oneOf" in one]
    return tuple(frozenset(branch["required"][0] for branch in rule) for rule in rules)


def companions(path: Path) -> dict[str, list[str]]:
    """Keys of the map at `path` that mean nothing without others, with those."""
    return {key: others for one in _schemas_at(path) for key, others in one.get("dependencies", {}).items()}


def _schemas_at(path: Path) -> list[Mapping[str, Any]]:
    """Every part of the schema that speaks of what stands at `path`, the most telling first."""
    level = _parts(the_schema())
    for step in path:
        level = [part for one in level for child in _children(one, step) for part in _parts(child)]
    return level


def _parts(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A schema with its `$ref` followed, then what it says under conditions."""
    own = _resolved(schema)
    further = [own[key] for key in ("then", "else") if isinstance(own.get(key), dict)]
    return [own, *(part for one in further for part in _parts(one))]


def _children(schema: Mapping[str, Any], step: str | int) -> list[Mapping[str, Any]]:
    if isinstance(step, int):
        found = schema.get("items")
    else:
        found = schema.get("properties", {}).get(step, schema.get("additionalProperties"))
    return [found] if isinstance(found, dict) else []


# ── keys ─────────────────────────────────────────────────────────────────────────────────────
def _unknown_keys(mistake: Mistake) -> Iterator[Problem]:
    known = list(mistake.schema.get("properties", {}))
    for key in mistake.value:
        if key in known:
            continue
        path = (*mistake.path, key)
        yield later_key(path) or _unknown_key(path, key, known)


def _unknown_key(path: Path, key: str, known: list[str]) -> Problem:
    return Problem(
        "unknown-key", path, f'unknown key "{shortened(key)}"', _advice(path, key, known), at="key"
    )


def _advice(path: Path, key: str, known: list[str]) -> str:
    if unseen := invisible(key):
        return f"{unseen} stands in it, which looks like a blank or like nothing: type it anew"
    name, colon, rest = key.partition(":")
    if colon and name in known:
        return f'a blank is missing after the ":": write "{name}: {shortened(rest)}"'
    if meant := next((name for name in known if key.lower() in _SYNONYMS.get(name, ())), None):
        return f'did you mean "{meant}"?'
    close = nearest(key, known)
    if home := _home(key):
        return f"it belongs under `{home}`" + (f'; or did you mean "{close}"?' if close else "")
    if close:
        return f'did you mean "{close}"?'
    for where, hint in _ADVICE:
        if re.fullmatch(where, address(path[:-1])):
            return hint
    return f"known here: {', '.join(known)}" if known else "nothing can stand here"


_ADVICE = (
    ("parameters", "a parameter stands under `fixed`, `grid`, `zip`, `cases` or `sample: {of: …}`"),
    (".*/exclude", "an exclude either names parameters and their values, or has a `where` and nothing else"),
)


_SYNONYMS: Mapping[str, frozenset[str]] = {
    "from": frozenset({"start", "begin", "first", "min", "minimum", "low", "lower"}),
    "to": frozenset({"stop", "end", "last", "max", "maximum", "high", "upper"}),
    "step": frozenset({"by", "increment", "delta"}),
    "count": frozenset({"n", "num", "points", "number"}),
    "n": frozenset({"samples", "size", "count", "num", "number", "limit", "first"}),
    "of": frozenset({"parameters", "params", "distributions", "variables"}),
    "skip": frozenset({"offset", "start"}),
    "sd": frozenset({"std", "stdev", "sigma", "stddev"}),
    "mean": frozenset({"mu", "average"}),
    "where": frozenset({"filter", "condition", "query", "if"}),
    "separator": frozenset({"sep", "delimiter"}),
    "file": frozenset({"path", "filename", "source"}),
    "path": frozenset({"file", "filename"}),
    "entrypoint": frozenset({"function", "main"}),
    "command": frozenset({"cmd", "program", "run"}),
    "directory": frozenset({"dir", "folder"}),
    "as": frozenset({"name"}),
}
"""A key -> what other tools call it."""


def _home(key: str) -> str | None:
    """The part of the file whose key this is, when it stands one level off."""
    worker, cluster = (the_schema()["properties"][name]["properties"] for name in ("worker", "cluster"))
    provider = cluster["provider"]["properties"]
    sections = {
        "worker": worker,
        "cluster": cluster,
        "provider": provider,
        **{kind: provider[kind]["properties"] for kind in ("swarm", "ssh", "digitalocean")},
        "dashboards": cluster["dashboards"]["properties"],
        "parameters": the_schema()["definitions"]["block"]["properties"],
    }
    return next((name for name, keys in sections.items() if key in keys), None)


def _missing_keys(mistake: Mistake) -> Iterator[Problem]:
    if not isinstance(mistake.value, dict):
        return
    known = mistake.schema.get("properties", {})
    strangers = [key for key in mistake.value if key not in known and not _home(key)]
    for key in mistake.rule:
        other_words = _SYNONYMS.get(key, frozenset())
        is_meant = nearest(key, strangers) or any(stranger.lower() in other_words for stranger in strangers)
        if key not in mistake.value and not is_meant:
            example = _written(key, _resolved(known.get(key, {})))
            yield Problem("missing-key", mistake.path, f'{mistake.subject} has no "{key}"', example, at="key")


def _resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref", "")
    target = (
        the_schema()["definitions"].get(reference.removeprefix("#/definitions/"), {}) if reference else {}
    )
    return {**target, **schema}


def _written(key: str, schema: Mapping[str, Any]) -> str:
    shown = examples(schema)
    return f"for example {key}: {as_yaml(shown[0])}" if shown else ""


def examples(schema: Mapping[str, Any]) -> list[Any]:
    """What `schema` shows: its own examples, and those of maps, which stand in its branches.

    An editor offers what stands in `examples` as values to choose from, and would call a map "[object Object]".
    """
    schema = _resolved(schema)
    branches = [_resolved(schema[key]) for key in ("then", "else") if key in schema]
    shown = [*schema.get("examples", ())]
    return shown + [one for branch in branches for one in examples(branch) if one not in shown]


def _exactly_one(mistake: Mistake) -> Iterator[Problem]:
    """`oneOf` is only used for keys of which a map has exactly one."""
    if not isinstance(mistake.value, dict):
        return
    keys = [branch["required"][0] for branch in mistake.rule]
    present = [key for key in keys if key in mistake.value]
    companions_here = _lonely(mistake)
    if companions_here:
        key, others = companions_here
        message = f'{mistake.subject} has {listed(others)}, and no "{key}"'
        yield Problem("missing-key", mistake.path, message, _for_example(mistake.schema), at="key")
        return
    if not present and mistake.path in mistake.crowd:
        return  # the kind is there, misspelt or from a later version, and has its own problem
    if len(present) == 1:
        return  # what goes wrong beside it has its own problem
    if present:
        message = f"{mistake.subject} has {listed(_quoted(present))}, and only one of them can stand"
        yield Problem("too-many-kinds", (*mistake.path, present[1]), message, "keep one", at="key")
    else:
        message, hint = f"{mistake.subject} needs {listed(_quoted(keys), 'or')}", _for_example(mistake.schema)
        yield Problem("missing-key", mistake.path, message, hint, at="key")


def _lonely(mistake: Mistake) -> tuple[str, list[str]] | None:
    """Where a map has none of the kinds it can be, and keys that go with one of them: that one, and those keys."""
    kinds = [branch["required"][0] for branch in mistake.rule]
    if mistake.path in mistake.crowd or any(kind in mistake.value for kind in kinds):
        return None
    goes_with = companions(mistake.path)
    for kind in kinds:
        here = [key for key in mistake.value if kind in goes_with.get(key, ())]
        if here:
            return kind, here
    return None


def _companions(mistake: Mistake) -> Iterator[Problem]:
    if not isinstance(mistake.value, dict) or mistake.path in mistake.crowd:
        return
    said = {
        kind for kinds in alternatives(mistake.path) if not kinds & mistake.value.keys() for kind in kinds
    }
    for key, others in mistake.rule.items():
        for other in others:
            if key in mistake.value and other not in mistake.value and other not in said:
                message = f'"{key}" goes with "{other}", which is not here'
                hint = f'add "{other}", or take "{key}" out'
                yield Problem("missing-key", (*mistake.path, key), message, hint, at="key")


# ── values ───────────────────────────────────────────────────────────────────────────────────
_TYPE_WORDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a map",
}
_UNITS = ("duration", "size")
_BOUNDS = ("first value", "last value", "step")
"""Titles of what is a number or an expression."""


def _wrong_type(mistake: Mistake) -> Iterator[Problem]:
    if answer := later_value(mistake.path, mistake.value):
        yield answer
        return
    if mistake.value is None:
        message = f"{mistake.subject} has no value"
    else:
        message = f"{mistake.subject} must be {_wanted(mistake)}, not {described(mistake.value)}"
    yield Problem("wrong-type", mistake.path, message, _type_hint(mistake))


def _wanted(mistake: Mistake) -> str:
    if mistake.title in _UNITS:
        return f"a {mistake.title}"
    names = [mistake.rule] if isinstance(mistake.rule, str) else mistake.rule
    return listed((_TYPE_WORDS[name] for name in names if name != "null"), "or")


def _type_hint(mistake: Mistake) -> str:
    where = address(mistake.path)
    if where == "worker/python" and isinstance(mistake.value, int | float):
        return 'write it in quotes, such as "3.11": without them 3.10 is the number 3.1'
    if mistake.title in _UNITS and isinstance(mistake.value, int | float):
        return f"say the unit: {_plain_examples(mistake.schema)}"
    if isinstance(mistake.value, str) and (number := _meant_number(mistake.value)):
        return f"write {number}"
    if isinstance(mistake.value, str) and (meant := _meant_form(mistake.path, mistake.value)):
        return meant
    if not where:
        return "a study is keys and values, such as `cloudburst: 1` on its first line; `cloudburst init` writes one"
    return _for_example(mistake.schema)


def _meant_number(text: str) -> str | None:
    """A number as people write it: 1,000 or 1_000 or "3"."""
    bare = re.sub(r"(?<=\d)[,_](?=\d{3}(\D|$))", "", text.strip())
    return bare if re.fullmatch(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?", bare) else None


def _meant_form(path: Path, text: str) -> str:
    """What a text in the place of a map or a list was meant to be."""
    where = address(path)
    if where == "cluster" and text in ("local", "swarm"):
        return f"write {as_yaml({'provider': text})}"
    if where == "worker/command":
        return f"its words are a list: {as_yaml(text.split())}"
    if where.endswith("exclude"):
        entry = {"where": text}
        return f"write {as_yaml(entry if isinstance(path[-1], int) else [entry])}"
    if where.endswith("/table"):
        return f"write {as_yaml({'path' if where.startswith('results') else 'file': text})}"
    if where.endswith("/count"):
        return "it is a number and no expression: a range whose step hangs on others is {from: …, to: …, step: …}"
    return ""


def _not_one_of(mistake: Mistake) -> Iterator[Problem]:
    if not isinstance(mistake.value, str):
        return  # the wrong type already has its problem
    if answer := later_value(mistake.path, mistake.value):
        yield answer
        return
    kinds = _kinds(mistake.schema)
    if kind := kinds.get(mistake.value):
        message = f"{described(mistake.value)} alone says too little"
        yield Problem("missing-key", mistake.path, message, f"write {as_yaml(kind)}")
        return
    words = [*mistake.rule, *kinds]
    close = nearest(mistake.value, words)
    hint = f'did you mean "{close}"?' if close else f"write {listed(_quoted(words), 'or')}"
    if not close and len(mistake.rule) == 1:
        hint = _for_example(mistake.schema)
    yield Problem("unknown-value", mistake.path, f"{described(mistake.value)} is no {mistake.title}", hint)


def _kinds(schema: Mapping[str, Any]) -> dict[str, Any]:
    """What can stand in a word's place as a map of one key, by that key: the examples show it."""
    shown = (example for example in examples(schema) if isinstance(example, dict))
    return {kind: example for example in shown for kind in example if kind not in schema.get("enum", ())}


def _not_this(mistake: Mistake) -> Iterator[Problem]:
    message = f"{described(mistake.value)} is no {mistake.title} this version reads"
    yield Problem("wrong-value", mistake.path, message, f"write {as_yaml(mistake.rule)}")


def _wrong_form(mistake: Mistake) -> Iterator[Problem]:
    if answer := later_value(mistake.path, mistake.value):
        yield answer
        return
    if mistake.title in _BOUNDS:
        yield from _no_expression(mistake)
        return
    if address(mistake.path) == "worker/entrypoint" and (meant := _meant_entrypoint(mistake.value)):
        message = f"{described(mistake.value)} is no {mistake.title}"
        yield Problem("wrong-form", mistake.path, message, f"write {meant}")
        return
    rule = str(mistake.schema.get("description", "")).partition(". ")[0].removesuffix(".")
    hint = "; ".join(filter(None, (rule, _for_example(mistake.schema))))
    yield Problem("wrong-form", mistake.path, f"{described(mistake.value)} is no {mistake.title}", hint)


def _meant_entrypoint(text: str) -> str:
    """`net3.work`, `net3.py:work` and `net3:work()` as module:function."""
    found = re.fullmatch(r"([\w./]+?)(?:\.py)?(?:[.:])(\w+)(?:\(.*\))?", text.strip())
    return f"{found[1].strip('./').replace('/', '.')}:{found[2]}" if found and found[2] != "py" else ""


def _no_expression(mistake: Mistake) -> Iterator[Problem]:
    """A text in the place of a number or an expression that is neither."""
    message = f"{mistake.subject} must be a number or an expression, not {described(mistake.value)}"
    yield Problem("wrong-type", mistake.path, message, _type_hint(mistake))


def _too_small(mistake: Mistake) -> Iterator[Problem]:
    yield _limit(mistake, f"at least {mistake.rule}")


def _not_above(mistake: Mistake) -> Iterator[Problem]:
    yield _limit(mistake, f"more than {mistake.rule}")


def _too_large(mistake: Mistake) -> Iterator[Problem]:
    yield _limit(mistake, f"at most {mistake.rule}")


def _limit(mistake: Mistake, limit: str) -> Problem:
    message = f"{mistake.subject} must be {limit}, not {as_yaml(mistake.value)}"
    return Problem("out-of-range", mistake.path, message, _for_example(mistake.schema))


def _too_few(mistake: Mistake) -> Iterator[Problem]:
    if not mistake.value:
        yield Problem("empty", mistake.path, f"{mistake.subject} is empty", _for_example(mistake.schema))
    else:
        yield _wrong_length(mistake)


def _too_many(mistake: Mistake) -> Iterator[Problem]:
    yield _wrong_length(mistake)


def _wrong_length(mistake: Mistake) -> Problem:
    count = len(mistake.value)
    message = f"{mistake.subject} must be a {mistake.title}, not {count} value{'s' if count != 1 else ''}"
    return Problem("wrong-length", mistake.path, message, _for_example(mistake.schema))


def _too_long(mistake: Mistake) -> Iterator[Problem]:
    message = f"this {mistake.title} has {len(mistake.value)} letters, and at most {mistake.rule} fit"
    yield Problem("too-long", mistake.path, message)


def _empty_text(mistake: Mistake) -> Iterator[Problem]:
    yield Problem("empty", mistake.path, f"{mistake.subject} is empty text", _for_example(mistake.schema))


def _repeated(mistake: Mistake) -> Iterator[Problem]:
    seen: list[Any] = []
    for index, value in enumerate(mistake.value):
        if value in seen:
            first = ((*mistake.path, seen.index(value)), "the first time")
            message = f"{described(value)} stands twice in {mistake.subject}"
            yield Problem("listed-twice", (*mistake.path, index), message, "keep one", related=(first,))
        seen.append(value)


_TRANSLATIONS: dict[str, Callable[[Mistake], Iterator[Problem]]] = {
    "additionalProperties": _unknown_keys,
    "const": _not_this,
    "dependencies": _companions,
    "enum": _not_one_of,
    "exclusiveMinimum": _not_above,
    "maxItems": _too_many,
    "maxLength": _too_long,
    "maximum": _too_large,
    "minItems": _too_few,
    "minLength": _empty_text,
    "minProperties": _too_few,
    "minimum": _too_small,
    "oneOf": _exactly_one,
    "pattern": _wrong_form,
    "required": _missing_keys,
    "type": _wrong_type,
    "uniqueItems": _repeated,
}


# ── words ────────────────────────────────────────────────────────────────────────────────────
def nearest(word: str, known: Iterable[str]) -> str | None:
    """The one of `known` that `word` was probably meant to be."""
    close = difflib.get_close_matches(word.lower(), candidates(word, known), n=1, cutoff=0.7)
    return close[0] if close else None


MOST_COMPARED: Final = 100
LONGEST_COMPARED: Final = 80


def candidates(word: str, known: Iterable[str]) -> list[str]:
    """Those of `known` that are worth being compared with `word`, letter by letter: where they are very many, some
    of about its length that begin as it does."""
    listed = list(known)
    if len(word) > LONGEST_COMPARED:
        return []
    if len(listed) > MOST_COMPARED:
        listed = [one for one in listed if abs(len(one) - len(word)) <= 2 and one[:1] == word[:1]]
    return [one for one in listed[:MOST_COMPARED] if len(one) <= LONGEST_COMPARED]


def described(value: Any) -> str:
    """A value for a sentence: `the number 3`, `"text"`, `a list`."""
    match value:
        case None:
            return "empty"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {shortened(str(value))}"
        case str():
            return f'"{shortened(value)}"'
        case list():
            return "a list"
        case _:
            return "a map"


def _quoted(words: Iterable[str]) -> Iterator[str]:
    return (f'"{word}"' for word in words)


def _for_example(schema: Mapping[str, Any]) -> str:
    return f"for example {_plain_examples(schema)}" if examples(schema) else ""


def _plain_examples(schema: Mapping[str, Any]) -> str:
    return ", ".join(as_yaml(example) for example in examples(schema)[:2])


def as_yaml(value: Any) -> str:
    """As one would write it in the file, in one line."""
    match value:
        case dict():
            return "{" + ", ".join(f"{key}: {as_yaml(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(as_yaml(item) for item in value) + "]"
        case str() if re.fullmatch(r"[A-Za-z][\w ./:-]*", value) and ": " not in value:
            return value
        case str() if not re.fullmatch(r"[\d.]+", value) and "{{" not in value and value[:1].isalnum():
            return value
        case _:
            return json.dumps(value, ensure_ascii=False)
