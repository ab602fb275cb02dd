"""The switch's program, as a module: it is no part of a package, since it goes to machines as one file."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

from cloudburst import assets

PROGRAM = assets.stack_directory() / "host" / "switch.py"


def load() -> ModuleType:
    found = sys.modules.get("cloudburst_host_switch")
    if found is not None:
        return found
    spec = importlib.util.spec_from_file_location("cloudburst_host_switch", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
