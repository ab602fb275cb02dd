"""The credentials of a stack that stands: found again, on the machine that made them or on another.

The values lie in this machine's secrets directory, as long as they are of the generations that stand;
otherwise they are read out of the controller's container, which has them all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ..compile.stack import stack_name
from ..errors import ProviderError
from . import secrets
from .places import Places
from .swarm import Swarm

LOGICAL = "cloudburst.secret"
GENERATION = "cloudburst.generation"

_READ_ALL = """
import json, pathlib
print(json.dumps({p.name: p.read_text("utf-8") for p in pathlib.Path("/run/secrets").iterdir() if p.is_file()}))
"""


def directory(places: Places) -> Path:
    """Apart from those of a run on this machine, which are made anew each time."""
    return places.secrets / "swarm"


def standing_generations(swarm: Swarm, study: str) -> dict[str, str]:
    """Logical name -> generation of every secret that a service of the study uses now."""
    used = swarm.used_secrets(study)
    return {
        secret.labels[LOGICAL]: secret.labels[GENERATION]
        for secret in swarm.secrets(study)
        if secret.name in used and LOGICAL in secret.labels and GENERATION in secret.labels
    }


def known_values(swarm: Swarm, study: str, places: Places, standing: Mapping[str, str]) -> dict[str, str]:
    """Logical name -> value of what stands, as far as it can be known. Raises Unreachable."""
    here = secrets.kept(directory(places), standing)
    if not standing or here.keys() >= standing.keys():
        return here
    try:
        said = swarm.execute(f"{stack_name(study)}_controller", ["python3", "-I", "-c", _READ_ALL])
    except ProviderError:
        return here
    there = {str(name): str(value) for name, value in json.loads(said).items()}
    return {**{name: value for name, value in there.items() if name in standing}, **here}
