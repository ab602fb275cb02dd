"""Grafana's published schema: the TypeScript types of @grafana/schema, asked by the TypeScript compiler."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cloudburst.compile.stack import IMAGES

GRAFANA = IMAGES["grafana"].rpartition(":")[2]
"""The types of the very version the stack runs."""
TYPESCRIPT = "5.8.3"
PACKAGES = (f"@grafana/schema@{GRAFANA}", f"typescript@{TYPESCRIPT}")

IMPORT = "import type { Published } from './published';\n"

MISSING = "node and npm are needed: on Debian: apt-get install nodejs npm"

OPTIONS = {
    "compilerOptions": {
        "strict": True,
        "noEmit": True,
        "skipLibCheck": True,
        "target": "es2022",
        "module": "esnext",
        "moduleResolution": "bundler",
        "types": [],
    },
    "include": ["*.ts"],
}


@dataclass(frozen=True)
class Schema:
    """`packages` is a directory in which `PACKAGES` are installed."""

    packages: Path

    def problems(self, dashboards: Mapping[str, Mapping[str, Any]], place: Path) -> dict[str, list[str]]:
        """Name -> what does not fit Grafana's types, as the compiler says it. `place` is an empty directory."""
        for name, dashboard in dashboards.items():
            literal = json.dumps(dashboard, indent=2)
            (place / f"{name}.ts").write_text(f"{IMPORT}export const dashboard: Published = {literal};\n")
        (place / "tsconfig.json").write_text(json.dumps(OPTIONS))
        shutil.copy(Path(__file__).with_name("published.ts"), place)
        (place / "node_modules").symlink_to(self.packages / "node_modules")
        compiler = self.packages / "node_modules" / "typescript" / "bin" / "tsc"
        command = ["node", str(compiler), "--project", str(place), "--pretty", "false"]
        said = subprocess.run(command, capture_output=True, text=True, cwd=place).stdout.splitlines()
        found: dict[str, list[str]] = {name: [] for name in dashboards}
        for line in (line for line in said if not line.startswith(" ")):
            name = line.partition(".ts(")[0]
            assert name in found, line
            found[name].append(line)
        return found


def installed() -> Schema:
    """Fetched once and kept by version. Skips the test without npm, or fails it where every part is to be there."""
    if not (shutil.which("node") and shutil.which("npm")):
        _lacking(MISSING)
    kept = _cache() / "-".join(("grafana", GRAFANA, "typescript", TYPESCRIPT))
    if not kept.is_dir():
        _install(kept)
    return Schema(kept)


def _install(kept: Path) -> None:
    """Whole or not at all: two test runs may both want it."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as new:
        options = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--prefix", new)
        fetched = subprocess.run(
            ["npm", "install", *options, *PACKAGES], capture_output=True, text=True, cwd=new
        )
        if fetched.returncode != 0:
            _lacking(f"npm cannot fetch {' and '.join(PACKAGES)}: {fetched.stderr.strip()[-400:]}")
        if not kept.is_dir():
            shutil.copytree(new, f"{new}.whole", symlinks=True)
            try:
                Path(f"{new}.whole").rename(kept)
            except OSError:  # another was first
                shutil.rmtree(f"{new}.whole")


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cloudburst-tests"


def _lacking(sentence: str) -> None:
    if os.environ.get("CLOUDBURST_REQUIRE_PARTS") == "1":
        pytest.fail(sentence)
    pytest.skip(sentence)
