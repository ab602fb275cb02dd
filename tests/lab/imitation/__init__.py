"""An imitation of DigitalOcean's API for tests, written from the official description (docs/lab.md).

`Imitation` is the server, `Paper` the backend whose droplets are words; `Manners` say how awkward it is, `Fault`s what
goes wrong on the way.
"""

from .backend import Addresses, Backend, Birth, Fate, Paper, Power, Rule, Wall
from .catalogue import Size
from .exchange import Exchange
from .faults import FOR_EVER, Fault, Faults
from .manners import HARSH, MILD, PROMPT, UNLIMITED, Limits, Manners
from .server import Imitation
from .state import State

__all__ = [
    "FOR_EVER",
    "HARSH",
    "MILD",
    "PROMPT",
    "UNLIMITED",
    "Addresses",
    "Backend",
    "Birth",
    "Exchange",
    "Fate",
    "Fault",
    "Faults",
    "Imitation",
    "Limits",
    "Manners",
    "Paper",
    "Power",
    "Rule",
    "Size",
    "State",
    "Wall",
]
