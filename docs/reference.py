"""Writes docs/reference.md, every key of the language, from schemas/ensemble.schema.json: `make reference`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from cloudburst.spec.schema import as_yaml, examples, the_schema
from cloudburst.words import listed

PAGE = Path(__file__).with_name("reference.md")

Schema = Mapping[str, Any]
Place = tuple[str, ...]

HEAD = """\
<!-- Made by `make reference` from schemas/ensemble.schema.json: change the descriptions there. -->
# Reference

Every key of the ensemble file. [The ensemble file](ensemble-file.md) says how they are used together, [what a message
means](errors.md) what goes wrong. An editor with [the schema](editors-and-git.md) shows the same while you type.

`NAME` and `OTHER` stand for names of yours, `ITEM` for each one of a list. What can stand in more than one place is described once,
under [Forms](#forms).
"""

FORMS = """\
## Forms

What can stand in more than one place.
"""


# ── what there is to tell ────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Key:
    """One key, or a form, with its schema. `place` is the way to it: ("worker", "retries", "max").

    `form`: what can stand there is told under this name.
    """

    place: Place
    schema: Schema
    required: bool = False
    form: str | None = None

    @property
    def title(self) -> str:
        return ".".join(self.place)

    @property
    def anchor(self) -> str:
        """As GitHub makes one of a heading."""
        return re.sub(r"[^\w\- ]", "", self.title.lower()).replace(" ", "-")


def resolved(schema: Schema) -> Schema:
    """With what its `$ref` leads to, under its own words."""
    name = form_of(schema)
    return {**the_schema()["definitions"][name], **schema} if name else schema


def form_of(schema: Schema) -> str | None:
    return schema["$ref"].removeprefix("#/definitions/") if "$ref" in schema else None


def has_a_section(name: str | None) -> bool:
    """A form with keys of its own is told once; a simple one, and what has but one place, where it stands."""
    if name in (None, "block"):
        return False
    form = the_schema()["definitions"][name]
    return "properties" in form and "title" in form


@cache
def demands() -> Mapping[Place, Schema]:
    """What a study that `extends` no other has to say, by place: the schema keeps it apart from what it may say."""
    return dict(_demands(the_schema()["definitions"]["whole"], ()))


def _demands(schema: Schema, place: Place) -> Iterator[tuple[Place, Schema]]:
    schema = resolved(schema)
    if set(schema.get("if", {})) == {"type"}:
        yield from _demands(schema["else"], place)
        return
    yield place, schema
    for name, part in schema.get("properties", {}).items():
        yield from _demands(part, (*place, name))


def keys(schema: Schema, place: Place = ()) -> Iterator[Key]:
    """Every key at and below `place`, as they stand in the schema, each before those inside it."""
    required = {*schema.get("required", ()), *demands().get(place, {}).get("required", ())}
    for name, part in schema.get("properties", {}).items():
        yield from _with_inner(Key((*place, name), part, name in required))
    for branch in ("then", "else"):
        inner = resolved(schema.get(branch, {}))
        if "properties" in inner and ("title" in inner or "$ref" not in inner):  # else it only demands
            yield from keys(inner, place)
    if isinstance(named := schema.get("additionalProperties"), dict):
        yours = "NAME" if "name" not in schema.get("properties", {}) else "OTHER"
        yield from _with_inner(Key((*place, yours), named))
    if (
        isinstance(listed := schema.get("items"), dict)
        and tells_more(listed)
        and listed != schema.get("then")
    ):
        yield from _with_inner(Key((*place, "ITEM"), listed))


def _with_inner(key: Key) -> Iterator[Key]:
    form = form_of(key.schema)
    if has_a_section(form):
        yield replace(key, form=form)
        return
    schema = resolved(key.schema)
    yield replace(key, schema=schema)
    yield from keys(schema, key.place)


def tells_more(item: Schema) -> bool:
    """Whether what a list holds is more than a word."""
    item = resolved(item)
    return any(word in item for word in ("properties", "additionalProperties", "oneOf"))


def forms() -> Iterator[tuple[str, Schema]]:
    """The forms with keys of their own, by name."""
    for name, schema in the_schema()["definitions"].items():
        if has_a_section(name):
            yield name, schema


# ── in words ─────────────────────────────────────────────────────────────────────────────────
_TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
    "array": "list",
    "object": "map",
    "null": "nothing",
}
_PLURALS = {
    "text": "texts",
    "whole number": "whole numbers",
    "number": "numbers",
    "list": "lists",
    "map": "maps",
}
_WORDS = ("duration", "size", "expression")
"""Texts that are known by what they say."""


def kind(schema: Schema) -> str:
    """What may stand there, in a few words: `list of texts or map`."""
    schema = resolved(schema)
    if "const" in schema:
        return f"always `{schema['const']}`"
    return ", ".join([_choice(schema) or _types(schema), *limits(schema)])


def _choice(schema: Schema) -> str | None:
    return listed((f"`{value}`" for value in schema["enum"]), "or") if "enum" in schema else None


def _types(schema: Schema) -> str:
    if schema.get("title") in _WORDS and schema.get("type") == "string":
        return str(schema["title"])
    given = schema.get("type", [])
    names = [given] if isinstance(given, str) else list(given)
    words = [_list_of(schema) if name == "array" else _TYPES[name] for name in names]
    return listed(words, "or") if words else "any value"


def _list_of(schema: Schema) -> str:
    item = schema.get("items")
    if not isinstance(item, dict):
        return "list"
    form, item = form_of(item), resolved(item)
    if has_a_section(form):
        return f"list of [{form_title(str(form))}](#{form_anchor(str(form))})"
    word = _choice(item) or _types(item)
    return f"list of {_PLURALS.get(word, word)}"


def limits(schema: Schema) -> Iterator[str]:
    """What bounds the value: sizes and lengths."""
    words = {
        "minimum": "at least {}",
        "exclusiveMinimum": "more than {}",
        "maximum": "at most {}",
        "maxLength": "at most {} letters",
    }
    for keyword, sentence in words.items():
        if keyword in schema and schema[keyword] < 2**31:
            yield sentence.format(schema[keyword])
    low, high = schema.get("minItems"), schema.get("maxItems")
    if low is not None and low == high:
        yield f"{low} of them"
    elif low is not None and low > 1:
        yield f"{low} or more"
    if schema.get("uniqueItems"):
        yield "none twice"


_DEFAULT = re.compile(r" ?Default: (.+?)\.(?= [A-Z]|$)")


def default(schema: Schema) -> str | None:
    found = _DEFAULT.search(schema.get("description", ""))
    return found[1] if found else None


def description(schema: Schema) -> str:
    """Its sentences, without the one about the default."""
    text = _DEFAULT.sub("", schema.get("description", "")).strip()
    return re.sub(r"(?<![`\w])(\w*<\w+>\S*)", r"`\1`", text)


def form_title(name: str) -> str:
    return str(the_schema()["definitions"][name].get("title", name))


def form_anchor(name: str) -> str:
    return Key((form_title(name),), {}).anchor


# ── the page ─────────────────────────────────────────────────────────────────────────────────
def page() -> str:
    """The whole page, with a newline at its end."""
    top = list(keys(the_schema()))
    parts = [HEAD, "\n".join(_contents(top)), *map(_section, top), FORMS]
    for name, schema in forms():
        title = form_title(name)
        parts.append(_section(Key((title,), schema), level=3))
        parts += [_section(key, level=4) for key in keys(schema, (title,))]
    return "\n".join(parts)


def _contents(top: list[Key]) -> Iterator[str]:
    for key in top:
        if len(key.place) == 1:
            inner = [k for k in top if k.place[:-1] == key.place and not k.place[1].isupper()]
            links = ", ".join(f"[`{k.place[1]}`](#{k.anchor})" for k in inner)
            yield f"- [`{key.title}`](#{key.anchor})" + (f": {links}" if links else "")
    links = ", ".join(f"[{form_title(name)}](#{form_anchor(name)})" for name, _ in forms())
    yield f"- [Forms](#forms): {links}\n"


def _section(key: Key, level: int | None = None) -> str:
    schema = resolved(key.schema)
    heading = f"{'#' * (level or min(5, 1 + len(key.place)))} `{key.title}`"
    facts = [f"- **{label}:** {text}" for label, text in _facts(key, schema)]
    return "\n".join([heading, "", description(schema), "", *facts, ""])


def _facts(key: Key, schema: Schema) -> Iterator[tuple[str, str]]:
    link = f": [{form_title(key.form)}](#{form_anchor(key.form)})" if key.form else ""
    yield "Type", kind(schema) + link
    if sentence := schema.get("patternErrorMessage") or schema.get("errorMessage"):
        yield "Form", str(sentence)
    if not key.form and (rules := list(_together({**demands().get(key.place, {}), **schema}))):
        yield "Keys", "; ".join(rules)
    if key.required:
        yield "Required", "yes"
    elif said := default(schema):
        yield "Default", said if " " in said or "`" in said else f"`{said}`"
    for example in examples(key.schema)[:3]:
        yield "Example", f"`{_written(key, example)}`"


def _together(schema: Schema) -> Iterator[str]:
    """Which keys exclude, and which need each other."""
    then = schema.get("then", {})
    for part in (schema, then, then.get("then", {})):
        if "oneOf" in part:
            names = [f"`{branch['required'][0]}`" for branch in part["oneOf"]]
            yield f"exactly one of {', '.join(names)}"
    for name, others in schema.get("dependencies", {}).items():
        yield f"`{name}` goes with {' and '.join(f'`{other}`' for other in others)}"


def _written(key: Key, example: Any) -> str:
    """The example in one line of the file; of a form, and of what has no name of its own, the value alone."""
    name = key.place[-1]
    is_nameless = name.isupper() or key.schema in the_schema()["definitions"].values()
    return as_yaml(example) if is_nameless else f"{name}: {as_yaml(example)}"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
