"""`make lab`: a swarm to play in, until Ctrl-C. Also: `sh HOST SCRIPT`, `clean`, `missing`."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from . import ground, stock
from .commands import ENVIRONMENT, LabError
from .missing import missing
from .swarm import Lab, clean

HOW_TO = """
A Docker Swarm of {count} hosts is running. Ctrl-C ends it and removes everything.

  the manager        {address}
  for a study        cluster: {{provider: {{swarm: {{host: "{address}"}}}}}}
  cloudburst here    PATH={programs}:$PATH cloudburst apply
  ssh                ssh -F {config} lab-manager docker node ls
  inside, as root    {this} sh worker-1 'docker ps'   (also when it is cut off)
  faults             {this} do worker-1 partition     (heal, power_off, power_on, reboot, kill_daemon,
                     start_daemon, block_egress, allow_egress)
  tests in it        CLOUDBURST_LAB_ATTACH={directory} pytest -m lab
  its files          {directory}
"""
FAULTS = (
    *("allow_egress", "block_egress", "heal", "kill_daemon", "partition"),
    *("power_off", "power_on", "reboot", "start_daemon", "stop_daemon"),
)


def main() -> int:
    """Runs one command; the exit code."""
    arguments = _parser().parse_args()
    try:
        code: int = arguments.run(arguments)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lab", description=__doc__)
    commands = parser.add_subparsers(required=True)
    start = commands.add_parser("start", help="start a swarm, until Ctrl-C")
    start.add_argument("--workers", type=int, default=3)
    start.set_defaults(run=_start)
    remove = commands.add_parser("clean", help="remove what killed runs left")
    remove.add_argument("--everyone", action="store_true", help="running labs too")
    remove.add_argument("--stock", action="store_true", help="and the images, made anew the next time")
    remove.set_defaults(run=_clean)
    commands.add_parser("missing", help="say what this machine lacks").set_defaults(run=_missing)
    shell = commands.add_parser("sh", help="run a shell script in a host of the running lab, as root")
    shell.add_argument("host")
    shell.add_argument("script")
    shell.set_defaults(run=_sh)
    fault = commands.add_parser("do", help="break or mend a host of the running lab")
    fault.add_argument("host")
    fault.add_argument("fault", choices=FAULTS)
    fault.set_defaults(run=_do)
    return parser


def _start(arguments: argparse.Namespace) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    lab = Lab.start(arguments.workers, _tell)
    try:
        programs = lab.ssh_config.parent / "bin"
        print(
            HOW_TO.format(
                count=len(lab.hosts),
                address=lab.address,
                programs=programs,
                config=lab.ssh_config,
                directory=lab.directory,
                this="python -m tests.lab",
            ),
            flush=True,
        )
        signal.pause()
    except KeyboardInterrupt:
        _tell("removing everything …")
    finally:
        lab.stop()
    return 0


def _clean(arguments: argparse.Namespace) -> int:
    for directory in clean(everyone=arguments.everyone):
        print(f"removed {directory}")
    if arguments.stock:
        stock.discard()
    return 0


def _missing(_: argparse.Namespace) -> int:
    lacking = missing()
    print("\n".join(lacking) or "nothing is missing")
    return 1 if lacking else 0


def _sh(arguments: argparse.Namespace) -> int:
    command = _running().host(arguments.host).command("bash", "-c", arguments.script)
    return subprocess.run(command, env=dict(ENVIRONMENT), check=False).returncode


def _do(arguments: argparse.Namespace) -> int:
    getattr(_running().host(arguments.host), arguments.fault)()
    return 0


def _running() -> Lab:
    """The lab that runs here. Raises LabError when that is not clear."""
    if chosen := os.environ.get("CLOUDBURST_LAB_ATTACH"):
        return Lab.attach(Path(chosen).resolve())
    found = sorted(stock.runs().glob(f"*/{ground.RECORD}"))
    if not found:
        raise LabError("no lab is running here: `make lab` starts one")
    if len(found) > 1:
        raise LabError("several labs are running here: let CLOUDBURST_LAB_ATTACH name one's directory")
    return Lab.attach(found[0].parent)


def _tell(sentence: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {sentence}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
