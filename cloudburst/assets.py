"""Finds what travels with the package but is not Python: schemas/, stack/, worker/.

In a wheel they lie in `cloudburst/_assets/`; in a checkout (and so in an editable install) they
lie at the top of the tree, and there the checkout wins, so that an edit is seen at once.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _place() -> Path:
    checkout = _PACKAGE.parent
    if (checkout / "pyproject.toml").is_file() and (checkout / "schemas").is_dir():
        return checkout
    return _PACKAGE / "_assets"


def schema(name: str) -> Path:
    """The file of the schema `name`, such as `ensemble`."""
    return _place() / "schemas" / f"{name}.schema.json"


def worker_directory() -> Path:
    """The directory that holds the package `cloudburst_worker`."""
    return _place() / "worker"


def stack_directory() -> Path:
    """The directory of the Swarm stack: templates, configurations, requirements."""
    return _place() / "stack"


def package_directory() -> Path:
    """The directory of the package `cloudburst` itself."""
    return _PACKAGE
