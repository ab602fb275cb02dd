"""Commands on a machine, as far as they need no machine: the ones that fail say why."""

from __future__ import annotations

import pytest

from cloudburst.errors import ProviderError
from cloudburst.run.digitalocean.approach import ask
from cloudburst.run.link import Here


@pytest.mark.parametrize(
    ("script", "said"),
    [("echo first >&2; echo last >&2; exit 3", "last"), ("exit 3", "exit code 3")],
)
def test_a_command_that_fails_is_told_by_its_last_words(script: str, said: str) -> None:
    with pytest.raises(ProviderError) as raised:
        ask(Here("/nowhere"), script)
    assert raised.value.message == f"a command on this machine failed: {said}"
