"""What lies in the queue, read with suspicion: a message names code to call, and only one name is ours.

Nothing of a message is believed before it is checked: not its size, not its packing, not whom it calls.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from typing import Any

from .orders import is_input_name

FUNCTION = "cloudburst_worker.batch.run"
"""The one function a message may name."""

LIMIT = 8 * 2**20
"""Bytes of a message, packed or not. A batch has 256 KiB or one job, and a job's description at most 1 MiB."""

_JOBS = 1000
_BATCH = re.compile(r"[A-Za-z0-9_-]{1,200}")
_ORDER = re.compile(r"[0-9a-f]{64}")
_ID = re.compile(r"[0-9a-f]{20}")


class NotABatch(Exception):
    """The message is none of ours; the text says in what."""


def read(data: bytes, name: str) -> Mapping[str, Any]:
    """The batch in the message `name`, as it lies in the queue. Raises NotABatch."""
    batch = _argument(_call(_unpacked(data)))
    _check_batch(batch, name)
    return batch


def _unpacked(data: bytes) -> bytes:
    """RQ packs with zlib; what swells beyond the limit is not unpacked any further."""
    check_size(len(data))
    unpacker = zlib.decompressobj()
    try:
        plain = unpacker.decompress(data, LIMIT + 1)
    except zlib.error:
        return data
    check_size(len(plain))
    return plain


def check_size(size: int) -> None:
    """Raises NotABatch for a message of more bytes than any controller sends."""
    if size > LIMIT:
        raise NotABatch(
            f"refused a message of more than {LIMIT >> 20} MiB: a job's description has at most 1 MiB"
        )


def _call(data: bytes) -> list[Any]:
    """[function, instance, arguments, keyword arguments]."""
    try:
        call = json.loads(data)
    except (ValueError, RecursionError):
        raise NotABatch("refused a message that is not JSON: nothing else is unpacked here") from None
    if not isinstance(call, list) or len(call) != 4:
        raise NotABatch("refused a message that is no call")
    return call


def _argument(call: list[Any]) -> Mapping[str, Any]:
    function, instance, arguments, keywords = call
    if function != FUNCTION or instance is not None:
        raise NotABatch(f"refused to call {str(function)[:200]!r}: only {FUNCTION} is called here")
    if not isinstance(arguments, list) or len(arguments) != 1 or keywords:
        raise NotABatch(f"refused a call of {FUNCTION} with anything but one batch")
    if not isinstance(arguments[0], dict):
        raise NotABatch("refused a batch that is no object")
    return arguments[0]


def _check_batch(batch: Mapping[str, Any], name: str) -> None:
    """As schemas/batch.schema.json says. Raises NotABatch."""
    if batch.get("format") != 1:
        raise NotABatch(
            "the message is no batch of format 1: controller and worker are of different versions"
        )
    if batch.get("batch") != name or not _BATCH.fullmatch(name):
        raise NotABatch(f"refused a batch under another name than its own: {str(batch.get('batch'))[:200]!r}")
    if not _matches(_ORDER, batch.get("order")):
        raise NotABatch("refused a batch whose order is no digest")
    files = batch.get("files", {})
    if not isinstance(files, dict) or not all(is_input_name(*item) for item in files.items()):
        raise NotABatch("refused a batch whose files are not digests with a file name each")
    jobs = batch.get("jobs")
    if not isinstance(jobs, list) or not 1 <= len(jobs) <= _JOBS or not all(map(_is_job, jobs)):
        raise NotABatch(f"refused a batch whose jobs are not 1 to {_JOBS} descriptions")


def _is_job(job: object) -> bool:
    return (
        isinstance(job, dict)
        and _matches(_ID, job.get("id"))
        and _is_count(job.get("row"), 0)
        and _is_count(job.get("attempt"), 1)
        and isinstance(job.get("job"), dict)
        and _is_argv(job.get("argv"))
    )


def _is_argv(value: object) -> bool:
    return value is None or (
        isinstance(value, list) and bool(value) and all(isinstance(x, str) for x in value)
    )


def _is_count(value: object, least: int) -> bool:
    return type(value) is int and value >= least


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
