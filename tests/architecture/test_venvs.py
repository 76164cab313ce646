"""What is installed beside .venv is what is pinned, but for the AWS client; and what is looked for there is found."""

from __future__ import annotations

import sys
import tomllib
from typing import TYPE_CHECKING

import pytest

from tools import check_versions
from tools.hash_pins import PINNED, PYTHONS, ROOT, pins
from tools.venvs import CLIENT, NEWER, constraints, name_of, requirements

if TYPE_CHECKING:
    from pathlib import Path

MINOR = ".".join(map(str, sys.version_info[:2]))


def test_the_newer_client_is_an_aiobotocore_of_version_3_with_its_botocore() -> None:
    newer = {name_of(pin): pin.split("==")[1] for pin in pins(NEWER.read_text())}
    assert int(newer["aiobotocore"].split(".")[0]) >= 3
    assert "botocore" in newer
    assert "aioboto3" not in newer
    assert pins(NEWER.read_text()).isdisjoint(pins(PINNED.read_text()))


def test_all_else_is_pinned_alike_for_both_clients() -> None:
    both = set(constraints(is_newer=False)), set(constraints(is_newer=True))
    assert {name_of(pin) for pin in both[0] ^ both[1]} <= CLIENT
    names = [name_of(pin) for pin in both[1]]
    assert len(names) == len(set(names))


def test_the_newer_client_comes_without_what_allows_no_other_than_the_pinned_one() -> None:
    wanted = {name_of(line) for line in requirements(is_newer=True)}
    assert wanted & CLIENT == {"aiobotocore"}
    assert wanted ^ {name_of(line) for line in requirements(is_newer=False)} == {"aioboto3"}


def test_versions_of_python_are_those_that_are_pinned_with_hashes() -> None:
    named = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    head = "Programming Language :: Python :: "
    assert tuple(line.removeprefix(head) for line in named if line.startswith(f"{head}3.")) == PYTHONS


def python_saying(folder: Path, name: str, version: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\necho {version}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    return tmp_path


def test_each_other_python_is_found_once(on_path: Path) -> None:
    kept = on_path / "pyenv" / "versions" / "3.18.1" / "bin"
    kept.mkdir(parents=True)
    python_saying(kept, "python3.18", "3.18.1")
    python_saying(on_path, "python3.17", "3.17.4")
    python_saying(on_path, f"python{MINOR}", f"{MINOR}.0")
    assert check_versions.others() == {
        "3.17.4": str(on_path / "python3.17"),
        "3.18.1": str(kept / "python3.18"),
    }


def test_without_another_python_it_says_so(
    on_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (on_path / "python3.18").write_text("#!/bin/sh\nexit 1\n")
    (on_path / "python3.18").chmod(0o755)
    monkeypatch.setattr(sys, "argv", ["check_versions", "--part"])
    assert check_versions.main() == 0
    assert "no other version was tried" in capsys.readouterr().out


def test_no_environment_asks_an_index_for_the_project_itself() -> None:
    names = {name_of(line) for line in requirements(is_newer=False)}
    assert "appfleet" not in names
    assert {"apprise", "opentelemetry-sdk"} <= names
