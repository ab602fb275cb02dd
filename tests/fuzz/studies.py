"""Where the fuzzing begins: the examples, the pages' files right and wrong, and generated studies; and the project
around them."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

from tests.docs.snippets import PAGES, ROOT, snippets
from tests.properties.generated import study
from tests.properties.writing import written

SPEC = "ensemble.yaml"
CORPUS = Path(__file__).parent / "corpus"
TABLE = "scenarios.csv"


class Outside(BaseException):
    """The file names a place outside its project, such as `/`: whatever lies there is read, and takes its time."""


class Project:
    """A directory with all that the studies name. Reading a directory outside it raises Outside once it is guarded."""

    def __init__(self, home: Path) -> None:
        self.home = home.resolve()
        (home / "model").mkdir(parents=True)
        (home / "model" / "model.py").write_text("def run(job):\n    return job\n", "utf-8")
        (home / "model" / "solve").touch(mode=0o755)
        (home / "data" / "gcm").mkdir(parents=True)
        (home / "data" / "city.inp").write_text("[END]\n", "utf-8")
        for year in ("dry", "wet"):
            (home / "data" / "gcm" / f"{year}.nc").write_text(year, "utf-8")
        (home / TABLE).write_text("x,pipe,note\n1.5,010,old\n-1,020,\n", "utf-8")
        (home / "base.yaml").write_text(BASE, "utf-8")
        for name in ("net3", "compiled", "ishigami"):
            left_out = shutil.ignore_patterns("__pycache__", ".cloudburst")
            shutil.copytree(ROOT / "examples" / name, home / name, ignore=left_out)
        (home / ".git").mkdir()

    def write(self, data: bytes) -> Path:
        file = self.home / SPEC
        file.write_bytes(data)
        return file

    def guard(self) -> None:
        """From now on, and for the rest of the process. Where Python finds its modules it may go on looking."""
        allowed = tuple(map(os.path.realpath, (self.home, ROOT, sys.prefix, sys.base_prefix, *sys.path)))

        def heard(event: str, arguments: tuple[object, ...]) -> None:
            if event in ("os.scandir", "os.listdir"):
                where = arguments[0]
                if isinstance(where, str | Path) and not os.path.realpath(where).startswith(allowed):
                    raise Outside(str(where))

        sys.addaudithook(heard)


BASE = """\
cloudburst: 1
name: base
worker: {directory: model, entrypoint: "model:run"}
parameters: {grid: {x: [1, 2]}}
"""


def seeds(generated: int = 200) -> Iterator[bytes]:
    """Texts to begin with; those of the catalogue of mistakes are parts of files, put into one."""
    for file in sorted((ROOT / "examples").glob("*.yaml")):
        yield file.read_bytes()
    for page in PAGES:
        for snippet in snippets(page):
            if snippet.language == "yaml" and snippet.mark != "file":
                yield _whole(snippet.text)
            elif snippet.language == "diff" and snippet.mark != "file":
                for sign in "-+":
                    lines = snippet.text.splitlines()
                    yield _whole("\n".join(line[1:] for line in lines if line[:1] in (" ", sign)) + "\n")
    for number in range(generated):
        chance = Random(number)
        yield written(study(chance), chance).encode()
    for file in sorted(CORPUS.glob("*")):
        yield file.read_bytes()


def _whole(fragment: str) -> bytes:
    own = {line.partition(":")[0] for line in fragment.splitlines() if line[:1].isalpha()}
    around = (line for line in BASE.splitlines() if line.partition(":")[0] not in own)
    return "\n".join([*around, fragment]).encode()
