"""What tests of every room may ask for."""

from influxd import influx, shared_influxd, start_influxd
from lab.fixture import fragile, lab, pytest_collection_modifyitems

__all__ = [
    "fragile",
    "influx",
    "lab",
    "pytest_collection_modifyitems",
    "shared_influxd",
    "start_influxd",
]
