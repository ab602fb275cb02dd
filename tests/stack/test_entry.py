"""The entry script: run as a container runs it, with small bundles, and once with the real one."""

from __future__ import annotations

import ast
import hashlib
import http.server
import importlib.util
import io
import lzma
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
from stack.parts import until

from cloudburst.compile.archive import Entry, write_archive
from cloudburst.compile.bundle import Bundle, make_bundle

ENTRY = Path(__file__).parents[2] / "stack" / "entry.py"
FILE_STORE = "cloudburst/run/file_store.py"

pytestmark = pytest.mark.slow


@pytest.fixture
def entry() -> ModuleType:
    """The script as a module, for its smallest parts."""
    spec = importlib.util.spec_from_file_location("stack_entry", ENTRY)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass
class Container:
    """A volume, a bundle, and the command line of a container."""

    place: Path
    digest: str = ""

    @property
    def programs(self) -> Path:
        return self.place / "home" / "programs"

    def give(self, files: Mapping[str, str]) -> None:
        """Put a bundle there that packs these."""
        archive = io.BytesIO()
        write_archive([Entry(name, None, text.encode()) for name, text in sorted(files.items())], archive)
        self.digest = hashlib.sha256(archive.getvalue()).hexdigest()
        (self.place / "bundle").write_bytes(lzma.compress(archive.getvalue()))

    def command(self, *words: str, arguments: tuple[str, ...] = ()) -> list[str]:
        places = ["--home", str(self.place / "home"), "--started", str(self.place / "started")]
        found = ["--bundle", str(self.place / "bundle"), "--baked", str(self.place / "baked")]
        secrets = ["--secrets", str(self.place / "secrets"), "--digest", self.digest]
        own = [*found, *secrets] if words[0] in {"run", "bake"} else []
        after = ["--", *arguments] if arguments else []
        return [sys.executable, "-I", str(ENTRY), *places, *words, *own, *after]

    def run(
        self, *words: str, arguments: tuple[str, ...] = (), **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words, arguments=arguments),
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def start(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*words),
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def container(tmp_path: Path) -> Container:
    return Container(tmp_path)


def telling(word: str) -> Mapping[str, str]:
    """A file store that says a word, its arguments and its process."""
    return {FILE_STORE: f"import os, sys\nprint({word!r}, sys.argv[1:], os.getpid())\nsys.exit(7)\n"}


# ── becoming a program ───────────────────────────────────────────────────────────────────────
def test_it_installs_once_and_becomes_the_program(container: Container) -> None:
    container.give(telling("first"))
    with container.start("run", "files") as process:
        said, log = process.communicate()
    assert said == f"first [] {process.pid}\n", "the same process: signals and the exit code are its own"
    assert process.returncode == 7
    assert "installing code-" in log
    assert "installing files-" in log
    (container.place / "bundle").unlink()
    again = container.run("run", "files", arguments=("--root", "x"))
    assert again.stdout.startswith("first ['--root', 'x']")
    assert again.stderr == "", "no second installation, and no bundle needed"


def test_a_worker_is_told_its_node_by_the_environment(container: Container) -> None:
    main = "import sys\nprint(sys.argv[1:])\n"
    container.give({"cloudburst_worker/__main__.py": main, "requirements/worker.txt": "# none\n"})
    ended = container.run("run", "worker", arguments=("supervise",), CLOUDBURST_NODE="node-7")
    assert ended.stdout == "['supervise', '--node', 'node-7']\n"
    ended = container.run("run", "worker", arguments=("forget", "--study=waves"))
    assert ended.stdout == "['forget', '--study=waves']\n", "that needs no node"


def test_what_the_file_store_writes_others_may_read(container: Container) -> None:
    container.give({FILE_STORE: "import os\nprint(oct(os.umask(0)))\n"})
    assert container.run("run", "files").stdout == "0o22\n"


def test_package_tools_ask_the_index_the_user_asks(container: Container) -> None:
    (container.place / "secrets").mkdir()
    values = '{"UV_DEFAULT_INDEX": "https://index.example/simple", "LICENSE_SERVER": "secret", "PIP_NO_INPUT": "2"}'
    (container.place / "secrets" / "environment.json").write_text(values)
    names = "('UV_DEFAULT_INDEX', 'LICENSE_SERVER', 'PIP_NO_INPUT')"
    container.give({FILE_STORE: f"import os\nprint([os.environ.get(name) for name in {names}])\n"})
    said = container.run("run", "files", PIP_NO_INPUT="1").stdout
    assert said == "['https://index.example/simple', None, '1']\n", "the container's own stay as they are"


# ── what must not be installed ───────────────────────────────────────────────────────────────
def test_a_bundle_that_is_not_the_one_named_is_refused(container: Container) -> None:
    container.give(telling("right"))
    right = container.digest
    container.give(telling("wrong"))
    container.digest = right
    ended = container.run("run", "files")
    assert ended.returncode == 1
    assert "is not what the stack file names" in ended.stderr
    assert not list(container.programs.rglob("*.py")), "nothing was written"


@pytest.mark.parametrize("name", ["../outside.py", "/outside.py", "a/../../outside.py", "a\\..\\outside.py"])
def test_no_file_of_a_bundle_lies_elsewhere(container: Container, name: str) -> None:
    container.give({name: "", **telling("never")})
    ended = container.run("run", "files")
    assert ended.returncode == 1
    assert "would lie elsewhere" in ended.stderr
    assert not list(container.place.rglob("outside.py"))


# ── crashes, races, versions ─────────────────────────────────────────────────────────────────
def test_what_a_killed_container_left_half_made_is_replaced(container: Container, entry: ModuleType) -> None:
    container.give(telling("whole"))
    half = container.programs / f".{entry.code_name(container.digest)}.half"
    half.mkdir(parents=True)
    (half / "leftover.py").write_text("")
    assert container.run("run", "files").stdout.startswith("whole")
    assert not list(container.programs.rglob("leftover.py"))


def test_an_environment_whose_python_has_gone_is_made_again(container: Container) -> None:
    container.give(telling("whole"))
    container.run("run", "files")
    (python,) = container.programs.glob("*/bin/python")
    python.unlink()
    python.symlink_to("/nowhere/python")
    assert "installing" in (again := container.run("run", "files")).stderr
    assert again.stdout.startswith("whole")


def test_containers_that_start_together_install_once(container: Container) -> None:
    container.give(telling("shared"))
    started = [container.start("run", "files") for _ in range(3)]
    ended = [process.communicate() for process in started]
    assert [said.partition(" ")[0] for said, _ in ended] == ["shared"] * 3
    assert sum("installing code" in log for _, log in ended) == 1
    assert sum("installing files" in log for _, log in ended) == 1


def test_old_versions_go_unless_somebody_runs_them(container: Container, entry: ModuleType) -> None:
    container.give({FILE_STORE: "import sys, time\nprint('up', flush=True)\nsys.stdin.read()\n"})
    running = subprocess.Popen(
        container.command("run", "files"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "up\n"
    used = entry.code_name(container.digest)
    names = []
    for version in ("first", "second", "third"):
        container.give(telling(version))
        container.run("run", "files")
        names.append(entry.code_name(container.digest))
    found = {place.name for place in container.programs.glob("code-*/")}
    assert found == {used, *names[1:]}, "the latest two, and the one in use"
    running.communicate("")
    container.run("run", "files")
    assert {place.name for place in container.programs.glob("code-*/")} == set(names[1:])


def test_an_index_that_is_away_is_waited_for(container: Container) -> None:
    pin = f"redis==99.0 --hash=sha256:{'0' * 64}\n"
    container.give({"cloudburst_worker/__main__.py": "", "requirements/worker.txt": pin})
    nowhere = {
        "PIP_INDEX_URL": "http://127.0.0.1:1/simple",
        "PIP_RETRIES": "0",
        "PIP_CONFIG_FILE": os.devnull,
    }
    with container.start("run", "worker", **nowhere, PIP_FIND_LINKS="") as process:
        assert process.stderr is not None
        said = ""
        while "next attempt in 5 s" not in said:
            said += (line := process.stderr.readline())
            assert line, said
        assert re.search("worker-[0-9a-f]{12} cannot be installed: pip", said)
        assert container.run("healthy", "worker").returncode == 1, "it is still starting"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == -signal.SIGTERM
    assert not list(container.programs.glob("worker-*/"))


def test_new_code_finds_its_packages_ready(container: Container) -> None:
    for word in ("old", "new"):
        main = f"print({word!r})\n"
        container.give({"cloudburst_worker/__main__.py": main, "requirements/worker.txt": "# none\n"})
        ended = container.run("run", "worker")
        assert ended.stdout == f"{word}\n"
    assert "installing code-" in ended.stderr
    assert "installing worker-" not in ended.stderr, "nobody asked the index"


# ── baked images ─────────────────────────────────────────────────────────────────────────────
def test_an_image_that_has_this_version_installs_nothing(container: Container) -> None:
    container.give(telling("baked"))
    assert container.run("bake", "files").returncode == 0
    (container.place / "bundle").unlink()
    ended = container.run("run", "files")
    assert ended.stdout.startswith("baked")
    assert not container.programs.exists()


def test_an_image_with_another_version_installs_as_usual(container: Container) -> None:
    container.give(telling("old"))
    container.run("bake", "files")
    container.give(telling("new"))
    assert container.run("run", "files").stdout.startswith("new")


# ── healthy ──────────────────────────────────────────────────────────────────────────────────
def test_a_refusal_is_an_answer(entry: ModuleType) -> None:
    class Refusing(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_error(401)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        assert entry.answers(port)
        server.shutdown()
    assert not entry.answers(port)


def test_a_worker_is_healthy_from_its_start_to_its_end(container: Container) -> None:
    main = "import sys\nprint('up', flush=True)\nsys.stdin.read()\n"
    container.give({"cloudburst_worker/__main__.py": main, "requirements/worker.txt": "# none\n"})
    assert container.run("healthy", "worker").returncode == 1
    with subprocess.Popen(
        container.command("run", "worker"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "up\n"
        assert container.run("healthy", "worker").returncode == 0
        worker.send_signal(signal.SIGSTOP)
        until(lambda: container.run("healthy", "worker").returncode == 1)
        worker.send_signal(signal.SIGCONT)
        worker.communicate("")
    assert container.run("healthy", "worker").returncode == 1


# ── the real thing ───────────────────────────────────────────────────────────────────────────
@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return make_bundle()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("program", ["controller", "files", "worker", "dashboard"])
def test_each_program_starts_from_the_bundle_alone(
    container: Container, bundle: Bundle, program: str
) -> None:
    (container.place / "bundle").write_bytes(bundle.content)
    container.digest = bundle.digest
    ended = container.run("run", program, arguments=("--help",))
    assert ended.returncode == 0, ended.stderr
    assert "usage:" in ended.stdout.lower()


def test_it_is_written_for_an_old_python() -> None:
    """An image of the user's own may have one, and is to be told so in a sentence."""
    ast.parse(ENTRY.read_text("utf-8"), feature_version=(3, 9))
