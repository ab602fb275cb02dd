"""What tests of every room may ask for."""

from faults.table import pytest_addoption, pytest_sessionfinish
from influxd import influx, shared_influxd, start_influxd
from lab.fixture import fragile, lab, pytest_collection_modifyitems

__all__ = [
    "fragile",
    "influx",
    "lab",
    "pytest_addoption",
    "pytest_collection_modifyitems",
    "pytest_sessionfinish",
    "shared_influxd",
    "start_influxd",
]
