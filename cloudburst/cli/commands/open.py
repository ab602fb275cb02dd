"""`cloudburst open SERVICE`: a page of the running study, through a tunnel that lives as long as the command."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import click

from ..arguments import json_option, local_option, pass_screen, study_option
from ..opening import DOORS
from ..views.screen import Screen


@click.command()
@click.argument("service", default="status", type=click.Choice(list(DOORS)))
@study_option
@local_option
@click.option("--print", "only_print", is_flag=True, help="Print the URL and open no browser.")
@click.option(
    "--port", default=0, type=click.IntRange(0, 65535), help="The port on this machine (default: a free one)."
)
@json_option
@pass_screen
def command(screen: Screen, service: str, file: Path, local: bool, only_print: bool, port: int) -> None:
    """Open SERVICE in the browser: the status page, or a page of the swarm's stack.

    The page is at 127.0.0.1 until Ctrl-C ends the command, also with --print. What to log in with is shown.
    """
    from ...run.forward import forwarding
    from ..opening import in_browser, way_to
    from ..study import open_study
    from ..views import opened

    study = open_study(screen, file, need_payload=False, local=local)
    ended = _ended_by_user()
    with way_to(study, service) as way, forwarding(way.where, port) as bound:
        document = way.to_json(bound)
        show = None if only_print or screen.as_json else in_browser(document["url"], os.environ, sys.platform)
        screen.data(document)
        opened.say(document, way.door, screen, only_print=only_print, shown=show is not None)
        if show:  # a browser that stays in the foreground must not keep us from ending
            threading.Thread(target=show, daemon=True).start()
        ended.wait()


def _ended_by_user() -> threading.Event:
    """Set by Ctrl-C: the way this command is meant to end."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    return ended
