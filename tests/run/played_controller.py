"""The controller as a program, with the tests' studies in place of compiled ones."""

from __future__ import annotations

import sys

from cloudburst.run.controller import main
from tests.run.conftest import thaw_waves

if __name__ == "__main__":
    sys.exit(main(thaw=thaw_waves))
