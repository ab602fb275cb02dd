"""Everything that ever broke, and every file at the limits, under the limits themselves: one second, 256 MB.

python -m tests.fuzz.replay FOUND
"""

from __future__ import annotations

import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

from cloudburst.compile import expressions
from cloudburst.run.observe import diagnose
from tests.fuzz.hostile import HOSTILE
from tests.fuzz.judging import judge
from tests.fuzz.limits import Cost, limited
from tests.fuzz.studies import CORPUS, Project

WARM = b"""\
cloudburst: 1
name: warm
worker: {directory: model, entrypoint: "model:run"}
parameters: {sample: {method: lhs, n: 4, of: {x: {gamma: [1, 1]}}}}
"""


def known() -> Iterator[tuple[str, bytes]]:
    """By their names."""
    for file in sorted(CORPUS.glob("*.yaml")):
        yield file.name, file.read_bytes()
    for name, text in HOSTILE.items():
        yield name, text.encode()


def replay(project: Project, found: Path) -> int:
    """How many broke a limit; their stories are left in `found`."""
    judge(project, WARM)  # libraries are imported once
    broken = 0
    for name, data in known():
        file = project.write(data)
        expressions.expression.cache_clear()
        expressions.text.cache_clear()
        cost = Cost()
        try:
            with limited() as cost:
                diagnose(file)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            broken += 1
            kept = found / f"replay-{broken}"
            kept.write_bytes(data)
            story = "".join(traceback.format_exception(error))
            kept.with_suffix(".txt").write_text(f"{name}\n\n{story}", "utf-8", "backslashreplace")
        print(f"{cost.seconds:6.2f} s {cost.memory >> 20:5} MB  {name}")
    return broken


def main() -> int:
    with tempfile.TemporaryDirectory() as place:
        broken = replay(Project(Path(place) / "study"), Path(sys.argv[1]))
    print(f"{broken} broke a limit", flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
