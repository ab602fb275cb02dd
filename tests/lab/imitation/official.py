"""Every exchange against the official description: requests ours, answers the imitation's.

The check is openapi-core's, on the description with one change (`_described`), and one rule more: a key or a query parameter
that the description does not know is a mistake, though OpenAPI would let it pass.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from openapi_core import OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.exceptions import OpenAPIError
from werkzeug.datastructures import Headers, ImmutableMultiDict

from . import description
from .exchange import Exchange

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

HOST = "https://api.digitalocean.com"
JSON = "application/json"
SPOILT = ("html", "html-after", "truncated", "drop-before", "drop-after")
"""Faults whose answers are meant to be no answers of the API."""


def violations(exchanges: Iterable[Exchange]) -> list[str]:
    """What is not as described, in the order of the exchanges; each sentence once."""
    return list(dict.fromkeys(sentence for one in exchanges for sentence in _of(one)))


def _of(exchange: Exchange) -> Iterator[str]:
    if exchange.failure is not None:
        yield f"{exchange}: {exchange.failure}"
        return
    yield from (f"{exchange}: request: {wrong}" for wrong in _wrong_request(_asked(exchange)))
    spoilt = exchange.fault is not None and exchange.fault.what in SPOILT
    described = (exchange.method, exchange.template) in description.scopes()
    if described and exchange.status is not None and not spoilt:
        wrong_answers = _wrong_answer(_asked(exchange), _answer(exchange))
        yield from (f"{exchange}: answer: {wrong}" for wrong in wrong_answers)


@dataclass(frozen=True)
class _Asked:
    """All of a request that the description has a say in; two alike are checked once."""

    method: str
    path: str
    template: str | None
    query: tuple[tuple[str, str], ...]
    header: tuple[tuple[str, str], ...]
    content_type: str
    body: bytes


@dataclass
class _Request:
    """The same as openapi-core reads it."""

    method: str
    path: str
    content_type: str
    body: bytes
    parameters: RequestParameters
    host_url: str = HOST


@dataclass(frozen=True)
class _Answer:
    status_code: int
    content_type: str
    data: bytes
    headers: Headers = field(compare=False, hash=False)


RELEVANT = ("authorization", "x-dangerous")


def _asked(exchange: Exchange) -> _Asked:
    return _Asked(
        exchange.method.lower(),
        unquote(exchange.path),
        exchange.template,
        exchange.query,
        tuple((name, exchange.headers[name]) for name in RELEVANT if name in exchange.headers),
        exchange.headers.get("content-type", "").partition(";")[0].lower(),
        exchange.sent,
    )


def _request(asked: _Asked) -> _Request:
    query, header = ImmutableMultiDict(asked.query), Headers(list(asked.header))
    parameters = RequestParameters(query=query, header=header, cookie=ImmutableMultiDict())
    return _Request(asked.method, asked.path, asked.content_type, asked.body, parameters)


def _answer(exchange: Exchange) -> _Answer:
    assert exchange.status is not None
    headers = exchange.answer_headers
    kind = headers.get("content-type", "").partition(";")[0].lower()
    return _Answer(exchange.status, kind, exchange.answer, Headers(list(headers.items())))


@functools.lru_cache(maxsize=4096)
def _wrong_request(asked: _Asked) -> tuple[str, ...]:
    found = []
    try:
        _api().validate_request(_request(asked))
    except (OpenAPIError, ValueError) as error:
        found.append(_sentence(error))
    return (*found, *_strangers(asked))


@functools.lru_cache(maxsize=4096)
def _wrong_answer(asked: _Asked, answer: _Answer) -> tuple[str, ...]:
    try:
        _api().validate_response(_request(asked), answer)
    except (OpenAPIError, ValueError) as error:
        return (_sentence(error),)
    return ()


@functools.cache
def _api() -> OpenAPI:
    """Reading it takes half a second: once."""
    return OpenAPI.from_dict(_described())


@functools.cache
def _described() -> dict[str, Any]:
    """The description, changed in one place.

    An account key's id and its fingerprint are `readOnly` there: the API makes them, a body does not carry them. The
    parameter of the path refers to the same two schemas, and taken at its word no path could carry them either.
    """
    found = description.load()
    parameter = found["components"]["parameters"]["ssh_key_identifier"]
    parameter["schema"] = {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    return found


def _sentence(error: BaseException) -> str:
    """An error in one line: what openapi-core says, and the place in the JSON where there is one."""
    cause = error.__cause__
    schema_errors = tuple(getattr(cause, "schema_errors", None) or ())
    if schema_errors:
        deepest = _deepest(schema_errors[0])
        return f"{type(error).__name__}: {deepest.json_path}: {deepest.message}"
    return f"{type(error).__name__}: {error}" + (f" ({cause})" if cause is not None else "")


def _deepest(error: ValidationError) -> ValidationError:
    """Of alternatives that all fail, what is wrong in the one that fits best: where the error lies deepest."""
    while error.context:
        error = max(error.context, key=lambda one: len(one.absolute_path))
    return error


# What the description does not know


def _strangers(asked: _Asked) -> Iterator[str]:
    operation = _described()["paths"].get(asked.template, {}).get(asked.method)
    if operation is None:
        return
    parameters = [_resolved(one) for one in operation.get("parameters", ())]
    known = {one["name"] for one in parameters if one["in"] == "query"}
    for name, _ in asked.query:
        if name not in known:
            yield f"the query parameter {name} is not described"
    schema = operation.get("requestBody", {}).get("content", {}).get(JSON, {}).get("schema")
    if schema is not None and asked.content_type == JSON and asked.body:
        yield from _unknown_keys(schema, _read(asked.body), "$")


def _read(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None  # openapi-core says so


def _unknown_keys(schema: dict[str, Any], value: Any, place: str) -> Iterator[str]:
    parts = list(_parts(schema))
    if isinstance(value, list):
        items = [part["items"] for part in parts if "items" in part]
        for number, one in enumerate(value):
            yield from _unknown_keys({"allOf": items}, one, f"{place}[{number}]")
    if not isinstance(value, dict):
        return
    known: dict[str, list[dict[str, Any]]] = {}
    for part in parts:
        for name, inner in part.get("properties", {}).items():
            known.setdefault(name, []).append(inner)
    for name, inner in value.items():
        if name not in known:
            yield f"the key {place}.{name} is not described"
        else:
            yield from _unknown_keys({"allOf": known[name]}, inner, f"{place}.{name}")


def _parts(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A schema and all that it is put together from."""
    resolved = _resolved(schema)
    yield resolved
    for combination in ("allOf", "anyOf", "oneOf"):
        for one in resolved.get(combination, ()):
            yield from _parts(one)


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    found = schema
    while "$ref" in found:
        place = _described()
        for name in found["$ref"].removeprefix("#/").split("/"):
            place = place[name]
        found = place
    return found
