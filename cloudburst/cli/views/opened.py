"""What is said when a page is open: where, who may enter, how long."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..opening import Door
from .screen import Screen

UNTIL = "it stays open until Ctrl-C"


def say(document: Mapping[str, Any], door: Door, screen: Screen, *, only_print: bool, shown: bool) -> None:
    """With `only_print` the first stream has the URL and nothing else."""
    screen.say(document["url"])
    screen.out.flush()
    screen.note(f"user {document['user']}, password {document['password']}")
    if door.service == "influxdb":
        screen.note(
            f"such as: curl -u {document['user']} -G {document['url']}query --data-urlencode 'q=SHOW DATABASES'"
        )
    if shown:
        screen.note(f"{door.title} opens in your browser; {UNTIL}")
    elif only_print:
        screen.note(UNTIL)
    else:
        screen.note(f"there is no screen here to open it on; {UNTIL}")
