"""Grafana's published schema: the TypeScript types of @grafana/schema, asked by the TypeScript compiler."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import npm_packages

from cloudburst.compile.stack import IMAGES

GRAFANA = IMAGES["grafana"].rpartition(":")[2]
"""The types of the very version the stack runs."""
TYPESCRIPT = "5.8.3"
PACKAGES = (f"@grafana/schema@{GRAFANA}", f"typescript@{TYPESCRIPT}")

IMPORT = "import type { Published } from './published';\n"

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
    return Schema(npm_packages.installed(*PACKAGES))
