"""What an archive of a study may hold, and what of it is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudburst.compile.study_archive import (
    Absent,
    Manifest,
    Member,
    check_contents,
    leads_out,
    manifest_entry,
    read_manifest,
)
from cloudburst.errors import CloudBurstError

A = "a" * 64
MANIFEST = Manifest(
    study="tanks",
    spec="ensemble.yaml",
    payload=A,
    made_by="cloudburst 1",
    outcomes=3,
    members=(
        Member("ledger.jsonl", "ledger", A, 1),
        Member(f"objects/{A}", "object", A, 2),
        Member("plans/aaaaaaaaaaaa.cbplan", "plan", A, 3),
        Member("study/ensemble.yaml", "spec", A, 4),
        Member("study/model/run.sh", "worker", A, 5, executable=True),
    ),
    absent=(Absent("data/city.inp", "input", A, None, "it was left out on purpose"),),
)


def form(**changes: Any) -> bytes:
    return json.dumps({**MANIFEST.to_json(), **changes}).encode()


def with_file(**changes: Any) -> bytes:
    one = {"path": "study/more", "role": "worker", "sha256": A, "size": 1, **changes}
    return form(files=[*MANIFEST.to_json()["files"], one])


def test_what_is_written_is_read_back() -> None:
    assert read_manifest(manifest_entry(MANIFEST).content, "a.cbstudy") == MANIFEST


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "cannot be read"),
        (b"[]", "cannot be read"),
        (form(format_version="2.0"), "is a study of format 2.0; this version reads format 1"),
        (form(study="../other"), "is no name of a study"),
        (form(spec="other.yaml"), "its ensemble file is missing"),
        (form(outcomes=None), "not as `cloudburst export` writes it"),
        (form(files=[1]), "not as `cloudburst export` writes it"),
        (with_file(path="study/../x"), "would be written outside"),
        (with_file(path="elsewhere"), "is not where a worker is"),
        (with_file(path="study/x", role="ledger"), "is not where a ledger is"),
        (with_file(role="secret"), "not as `cloudburst export` writes it"),
        (with_file(sha256="zz"), "is not where"),
        (with_file(path="study/ensemble.yaml"), "is in it twice"),
        (with_file(path=f"objects/{'b' * 64}", role="object"), "is not named after its content"),
        (with_file(path="plans/bbbbbbbbbbbb.cbplan", role="plan"), "is not named after its content"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_what_export_does_not_write_is_refused(text: bytes, words: str) -> None:
    with pytest.raises(CloudBurstError) as raised:
        read_manifest(text, "a.cbstudy")
    assert words in raised.value.message


def test_a_later_minor_version_is_read() -> None:
    assert read_manifest(form(format_version="1.7", news="x"), "a.cbstudy") == MANIFEST


@given(
    st.lists(st.sampled_from(["..", ".", "", "a", ".git", ".GIT", ".cloudburst", "a.b", "..."]), min_size=1)
)
def test_a_path_leads_out_where_a_part_of_it_does(parts: list[str]) -> None:
    bad = {"..", ".", "", ".git", ".GIT", ".cloudburst"}
    assert leads_out("/".join(parts)) == bool(bad & set(parts))


def test_a_zip_holds_what_its_manifest_says_and_nothing_else() -> None:
    found = [("cbstudy.json", 9, True), *((one.path, one.size, True) for one in MANIFEST.members)]
    check_contents(MANIFEST, found, "a.cbstudy")
    for others, words in (
        (found[:-1], "'study/model/run.sh' is missing"),
        ([*found, ("more", 1, True)], "'more' is in it, and not in its"),
        ([*found, found[1]], "'ledger.jsonl' is in it, and not in its"),
        ([*found[:-1], ("study/model/run.sh", 6, True)], "is not as it was written"),
        ([*found[:-1], ("study/model/run.sh", 5, False)], "is not as it was written"),
    ):
        with pytest.raises(CloudBurstError, match=words):
            check_contents(MANIFEST, others, "a.cbstudy")
