"""By hand: `serve` an imitation to play with, `record` what a real account says, `check` a recording."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from .manners import HARSH, MILD, PROMPT, Manners
from .record import Recorder, read
from .server import Imitation

MANNERS = {"mild": MILD, "harsh": HARSH, "prompt": PROMPT}
REAL = "https://api.digitalocean.com"


def main() -> int:
    """Runs one command; the exit code."""
    arguments = _parser().parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code: int = arguments.run(arguments)
    except KeyboardInterrupt:
        return 0
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.lab.imitation", description=__doc__)
    commands = parser.add_subparsers(required=True)
    serve = commands.add_parser("serve", help="an account with droplets of paper, until Ctrl-C")
    serve.add_argument("--hosts", action="store_true", help="droplets are hosts of the lab (docs/lab.md)")
    serve.add_argument("--port", type=int, default=0)
    serve.add_argument("--manners", choices=sorted(MANNERS), default="mild")
    serve.set_defaults(run=_serve)
    record = commands.add_parser("record", help="a proxy in front of a real account, until Ctrl-C")
    record.add_argument("directory", type=Path)
    record.add_argument("--behind", default=REAL, help=f"what is recorded; {REAL}")
    record.add_argument("--port", type=int, default=0)
    record.set_defaults(run=_record)
    check = commands.add_parser("check", help="hold a recording against the official description")
    check.add_argument("directory", type=Path)
    check.set_defaults(run=_check)
    return parser


def _serve(arguments: argparse.Namespace) -> int:
    manners, port = MANNERS[arguments.manners], arguments.port
    with _on_hosts(manners, port) if arguments.hosts else Imitation(manners=manners, port=port) as it:
        _tell(it.environment)
        signal.pause()
    return 0


def _on_hosts(manners: Manners, port: int) -> Imitation:
    from .hosts import Hosts

    hosts = Hosts(lambda sentence: print(f"# {sentence}", flush=True))
    print(f"# hosts are in {hosts.ground.directory}: python -m tests.lab sh DROPLET 'docker ps'", flush=True)
    try:
        return Imitation(hosts, manners=manners, address=hosts.address, port=port)
    except BaseException:
        hosts.close()
        raise


def _record(arguments: argparse.Namespace) -> int:
    with Recorder(arguments.behind, arguments.directory, port=arguments.port) as recorder:
        _tell({"DIGITALOCEAN_END_POINT": recorder.end_point})
        signal.pause()
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from .official import violations

    exchanges = list(read(arguments.directory))
    found = violations(exchanges)
    print("\n".join(found) or f"{len(exchanges)} exchanges, all as described")
    return 1 if found or not exchanges else 0


def _tell(environment: Mapping[str, str]) -> None:
    for name, value in environment.items():
        print(f"export {name}={value}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
