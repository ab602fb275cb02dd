"""`forget`: empties a study's part of the node's cache, after the study is gone."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from . import usage


@dataclass(frozen=True)
class Options:
    """The command line of `forget`."""

    study: str
    cache: Path


def main(options: Options) -> int:
    """0 and a line of JSON, what was removed; or 1 and a sentence on standard error, and nothing was."""
    try:
        removed = usage.forget(options.cache, options.study)
    except usage.InUse as error:
        sys.stderr.write(f"{error}: nothing was removed; end it and try again\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"the cache {options.cache} cannot be emptied: {error}\n")
        return 1
    told = {
        "study": options.study,
        "removed": dict(removed.counts),
        "bytes": removed.bytes,
        "others": list(removed.others),
    }
    sys.stdout.write(json.dumps(told) + "\n")
    return 0
