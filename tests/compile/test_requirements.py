"""Which file says what the worker needs, and what it says, with lines for what cannot be locked."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudburst.compile.requirements import Found, find_requirements


def find(tmp_path: Path, files: dict[str, str], entrypoint: str | None = "net3:work") -> Found:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return find_requirements(tmp_path, entrypoint)


def wishes(found: Found) -> list[tuple[str, str, int]]:
    assert found.source is not None
    return [(r.text, r.file, r.line) for r in found.source.requirements]


HEADER = '# /// script\n# requires-python = ">=3.9"\n# dependencies = [\n#   "six",\n# ]\n# ///\n'
PROJECT = '[project]\nname = "w"\nversion = "1"\ndependencies = [\n  "six>1",\n]\n'
EVERYTHING = {
    "uv.lock": "version = 1\n",
    "requirements.txt": "a\n",
    "pyproject.toml": PROJECT,
    "net3.py": HEADER,
    "Pipfile": '[packages]\nsix = "*"\n',
    "requirements.in": "b\n",
}


def test_the_most_certain_file_decides(tmp_path):
    order = []
    left = dict(EVERYTHING)
    find(tmp_path, left)
    while (source := find_requirements(tmp_path, "net3:work").source) is not None:
        order.append(source.file)
        (tmp_path / source.file).unlink()
    assert order == ["uv.lock", "requirements.txt", "pyproject.toml", "net3.py", "Pipfile", "requirements.in"]


def test_no_file_asks_for_nothing(tmp_path):
    found = find(tmp_path, {"net3.py": "def work(job): ...\n"})
    assert (found.source, found.diagnostics) == (None, ())


def test_requirements_txt_with_all_that_stands_in_one(tmp_path):
    text = (
        "\ufeff# made by hand\n--index-url https://user:secret@example.org/simple\n\n"
        "numpy>=2  # why\nwntr == 1.5.0 \\\n    --hash=sha256:aa\n-r more/extra.txt\n-c pins.txt\n"
    )
    found = find(
        tmp_path,
        {
            "requirements.txt": text,
            "more/extra.txt": "scipy\n-r ../requirements.txt\n",
            "pins.txt": "six<2\n",
        },
    )
    assert wishes(found) == [
        ("numpy>=2", "requirements.txt", 4),
        ("wntr == 1.5.0 --hash=sha256:aa", "requirements.txt", 5),
        ("scipy", "more/extra.txt", 1),
    ]
    assert found.diagnostics == ()


def test_a_comment_makes_no_lock_old_and_a_version_does(tmp_path):
    first = find(tmp_path, {"requirements.txt": "six\n"}).digest
    assert find(tmp_path, {"requirements.txt": "# smaller\n\nsix\n"}).digest == first
    assert find(tmp_path, {"requirements.txt": "six>1\n"}).digest != first


def test_a_constraint_counts(tmp_path):
    files = {"requirements.txt": "six\n-c pins.txt\n", "pins.txt": "six<2\n"}
    assert find(tmp_path, files).digest != find(tmp_path, files | {"pins.txt": "six<1.17\n"}).digest


def test_pyproject(tmp_path):
    found = find(tmp_path, {"pyproject.toml": PROJECT})
    assert wishes(found) == [("six>1", "pyproject.toml", 5)]
    assert (
        find(tmp_path, {"pyproject.toml": PROJECT + "[tool.ruff]\nline-length = 90\n"}).digest == found.digest
    )


def test_a_pyproject_that_only_configures_tools_says_nothing(tmp_path):
    assert find(tmp_path, {"pyproject.toml": "[tool.ruff]\nline-length = 90\n"}).source is None


def test_script_header(tmp_path):
    assert wishes(find(tmp_path, {"net3.py": "#!/usr/bin/env python\n" + HEADER})) == [("six", "net3.py", 5)]
    assert find(tmp_path, {"net3.py": HEADER}, entrypoint=None).source is None


def test_pipfile_is_put_into_pips_words(tmp_path):
    text = (
        '[packages]\nsix = "*"\nnumpy = ">=2"\nscipy = {version = "==1.15.3", extras = ["a", "b"], markers = "x"}\n'
        'wntr = {version = "*", sys_platform = "== \'linux\'", markers = "y"}\n[dev-packages]\npytest = "*"\n'
    )
    assert [text for text, _, _ in wishes(find(tmp_path, {"Pipfile": text}))] == [
        "six",
        "numpy>=2",
        "scipy[a,b]==1.15.3 ; x",
        "wntr ; sys_platform == 'linux' and (y)",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "-e .",
        "--editable=../mine",
        "git+https://example.org/a.git",
        "a @ git+ssh://git@example.org/a.git",
        "./mine",
        "../mine",
        ".",
        "/opt/mine",
        "a @ file:///opt/mine",
        "mine-1.0-py3-none-any.whl",
        "a @ https://example.org/a.whl",
        "https://example.org/a.zip",
    ],
)
def test_what_no_hash_can_pin_has_its_line(tmp_path, line):
    found = find(tmp_path, {"requirements.txt": f"six\n{line}\n"})
    (diagnostic,) = found.diagnostics
    assert (diagnostic.code, diagnostic.severity) == ("unlockable-requirement", "error")
    assert (diagnostic.file, diagnostic.span.line) == (str(tmp_path / "requirements.txt"), 2)
    assert "cannot be locked" in diagnostic.message


@pytest.mark.parametrize(
    "line", ["a.b-c_d[e]>=1,<2 ; python_version < '3.12'", "a==1.0+cpu", "gitpython", "e"]
)
def test_releases_are_fine(tmp_path, line):
    assert find(tmp_path, {"requirements.txt": line}).diagnostics == ()


def test_a_pipfile_from_a_repository_has_its_line(tmp_path):
    found = find(tmp_path, {"Pipfile": '[packages]\nsix = "*"\nmine = {git = "https://example.org/m.git"}\n'})
    assert [d.span.line for d in found.diagnostics] == [3]


def test_a_credential_is_not_shown(tmp_path):
    found = find(tmp_path, {"requirements.txt": "a @ git+https://me:secret@example.org/a.git\n"})
    assert "secret" not in str(found.diagnostics)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("environment.yml", "is for conda"),
        ("Pipfile.lock", "only beside its Pipfile"),
        ("poetry.lock", "is not read"),
        ("uv.lock", "only beside its pyproject.toml"),
        ("setup.py", "is not run"),
    ],
)
def test_a_file_that_is_not_read_is_not_passed_over_in_silence(tmp_path, name, says):
    (diagnostic,) = find(tmp_path, {name: ""}).diagnostics
    assert (diagnostic.code, says in diagnostic.message) == ("unread-requirements", True)
    assert diagnostic.hint


def test_a_file_that_is_read_comes_before_one_that_is_not(tmp_path):
    assert find(tmp_path, {"environment.yml": "", "requirements.txt": ""}).diagnostics == ()


def test_toml_that_is_none_has_its_line(tmp_path):
    (diagnostic,) = find(tmp_path, {"Pipfile": "[packages]\nsix = \n"}).diagnostics
    assert (diagnostic.code, diagnostic.span.line) == ("toml-syntax", 2)


def test_a_header_that_is_no_toml_has_its_line_in_the_script(tmp_path):
    (diagnostic,) = find(
        tmp_path, {"net3.py": "# hello\n# /// script\n# dependencies = [\n# ///\n"}
    ).diagnostics
    assert (diagnostic.code, diagnostic.file.endswith("net3.py")) == ("toml-syntax", True)
    assert diagnostic.span.line in (3, 4)


def test_dynamic_dependencies_are_known_to_nobody(tmp_path):
    text = '[project]\nname = "w"\ndynamic = ["version", "dependencies"]\n'
    (diagnostic,) = find(tmp_path, {"pyproject.toml": text}).diagnostics
    assert (diagnostic.code, diagnostic.span.line) == ("unlockable-requirement", 3)


def test_a_named_file_that_is_missing_has_its_line(tmp_path):
    (diagnostic,) = find(tmp_path, {"requirements.txt": "six\n-r base.txt\n"}).diagnostics
    assert (diagnostic.code, diagnostic.span.line) == ("missing-requirements", 2)
