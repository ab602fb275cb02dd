"""What a machine lacks is said in sentences, before anything is made."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from lab import fixture
from lab.missing import missing


def test_another_user_is_told_that_it_takes_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert [sentence.split(":")[0] for sentence in missing()] == ["the lab needs root"]


def test_another_system_is_told_that_it_takes_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert missing() == ("the lab needs Linux",)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is told of programs")
def test_a_program_that_is_missing_is_named_with_its_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for program in ("ip", "ssh", "stat"):
        (tmp_path / program).symlink_to(Path("/usr/bin") / program)
    monkeypatch.setenv("PATH", str(tmp_path))
    sentences = missing()
    assert "the lab needs nft: apt-get install nftables" in sentences
    assert not any("iproute2" in sentence for sentence in sentences)


def test_what_is_missing_skips_a_test_and_fails_it_where_the_lab_is_required(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fixture, "missing", lambda: ("the lab needs a sea",))
    monkeypatch.delenv(fixture.REQUIRED, raising=False)
    with pytest.raises(pytest.skip.Exception, match="needs a sea"):
        fixture._require()
    monkeypatch.setenv(fixture.REQUIRED, "1")
    with pytest.raises(pytest.fail.Exception, match="CLOUDBURST_REQUIRE_LAB=1, and the lab needs a sea"):
        fixture._require()
