"""What `cloudburst init` writes: a study that runs as it is, and says what can be changed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from .. import assets

WORKER = "pendulum"


def files(study: str) -> Mapping[PurePosixPath, str]:
    """The files of a new study by their path relative to it."""
    return {
        PurePosixPath("ensemble.yaml"): ENSEMBLE.format(schema=schema_address(), name=study),
        PurePosixPath(WORKER, "pendulum.py"): PENDULUM,
        PurePosixPath(WORKER, "requirements.txt"): REQUIREMENTS,
    }


def study_name(directory: str) -> str:
    """A name for the study from that of its directory: small letters, digits and hyphens."""
    name = re.sub(r"[^a-z0-9]+", "-", directory.lower()).strip("-")[:40].rstrip("-")
    return name or "study"


def schema_address() -> str:
    """Where an editor finds the schema: the schema says so itself."""
    address: str = json.loads(assets.schema("ensemble").read_text("utf-8"))["$id"]
    return address


ENSEMBLE = """\
# yaml-language-server: $schema={schema}
#
# One file says the whole study.
#   cloudburst plan      shows what would be computed, and touches nothing
#   cloudburst apply     computes what is missing and writes results/{name}.csv
# Edit it and apply again: only what changed is computed.

cloudburst: 1                # the version of this language
name: {name}
seed: 1                      # the study's seed; samples and replicates follow from it

worker:
  directory: pendulum        # your code; it travels to every machine as it is
  entrypoint: pendulum:swing # module:function; called once per job
  timeout: 1m                # for one job

# Inside a block every source multiplies: 5 angles x 3 dampings x 2 replicates = 30 jobs.
parameters:
  fixed:
    length: 1.0              # m
  grid:
    angle: {{from: 10, to: 170, step: 40}}   # degrees; both ends are in it
    damping: [0.0, 0.05, 0.2]                # 1/s
  replicates: {{n: 2, as: seed}}             # each with a seed of its own
  # sample:                                  # or draw them:
  #   method: lhs
  #   n: 100
  #   of:
  #     angle: {{uniform: [10, 170]}}
  # exclude:                                 # and leave out what makes no sense:
  #   - where: "angle > 90 and damping == 0"

cluster:
  provider: local            # this machine; or {{swarm: {{context: lab}}}}, a Docker Swarm
                             # or {{digitalocean: {{region: nyc3, worker: s-4vcpu-8gb}}}}, rented for the study
  slots: auto                # as many jobs at a time as it has processors

results:
  - table: {{path: results/{name}.csv}}        # or .jsonl, or .sqlite
"""

PENDULUM = '''\
"""A damped pendulum, let go from an angle. Nothing here knows of CloudBurst: a notebook can call it too."""

from math import degrees, radians, sin
from random import Random

STEP = 0.01  # s
GRAVITY = 9.81  # m/s2


def swing(length, angle, damping, seed):
    """Ten seconds of a pendulum of `length` metres, let go at about `angle` degrees.

    The hand that lets go is not exact: `seed` draws how far off it is. A returned number or text
    becomes a column of the table; a dict with exactly the keys `time` and `value` becomes a series
    (`cloudburst results --series swinging`).
    """
    theta = radians(angle + Random(seed).gauss(0.0, 0.5))
    speed = 0.0
    times, angles, crossings = [], [], []
    for step in range(1001):
        time = step * STEP
        if step % 10 == 0:
            times.append(time)
            angles.append(degrees(theta))
        speed -= STEP * (GRAVITY / length * sin(theta) + damping * speed)
        before, theta = theta, theta + STEP * speed
        if before * theta < 0:
            crossings.append(time)
    half_periods = len(crossings) - 1
    return {
        "period": 2 * (crossings[-1] - crossings[0]) / half_periods if half_periods > 0 else None,
        "last_angle": angles[-1],
        "swinging": {"time": times, "value": angles},
    }
'''

REQUIREMENTS = """\
# What the worker needs, one a line, such as: numpy>=2
# `cloudburst lock` (apply does it by itself) pins exact versions into ensemble.lock beside ensemble.yaml.
"""
