"""The peer: multiprocessing.Pool over the same function and the same jobs. Runs in the study's environment.

usage: pool.py DIRECTORY MODULE:FUNCTION JOBS SCRATCH CHUNK

JOBS is what `cloudburst plan --jobs` wrote. Prints the moment each job ended, one a line, seconds since the epoch.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

PROCESSES = 2

function: Callable[..., Any]  # each process's own, set by `prepare`


def prepare(directory: str, entrypoint: str, scratch: str) -> None:
    global function
    os.chdir(tempfile.mkdtemp(dir=scratch))
    sys.path.insert(0, directory)
    module, name = entrypoint.split(":")
    function = getattr(importlib.import_module(module), name)


def work(job: dict[str, Any]) -> float:
    function(**job)
    return time.time()


def main() -> None:
    directory, entrypoint, jobs, scratch, chunk = sys.argv[1:]
    with open(jobs, encoding="utf-8") as file:
        descriptions = [json.loads(line)["job"] for line in file]
    with multiprocessing.Pool(PROCESSES, prepare, (directory, entrypoint, scratch)) as pool:
        for ended in pool.imap_unordered(work, descriptions, chunksize=int(chunk)):
            print(repr(ended))


if __name__ == "__main__":
    main()
