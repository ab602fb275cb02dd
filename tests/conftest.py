"""What tests of every room may ask for."""

from faults.table import pytest_addoption, pytest_sessionfinish
from influxd import influx, shared_influxd, start_influxd
from lab.fixture import alone, fragile, lab, life, pytest_collection_modifyitems, rented, rented_lab
from lab.imitation.fixture import imitation
from lab.on_hosts import bare_hosts, bare_study

__all__ = [
    "alone",
    "bare_hosts",
    "bare_study",
    "fragile",
    "imitation",
    "influx",
    "lab",
    "life",
    "pytest_addoption",
    "pytest_collection_modifyitems",
    "pytest_sessionfinish",
    "rented",
    "rented_lab",
    "shared_influxd",
    "start_influxd",
]
