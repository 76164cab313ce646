"""What is built: the sdist holds every file of the project, the wheel what is installed, and the sdist makes it too."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from typing import TYPE_CHECKING, Final

import pytest

from tests.architecture.files import ROOT, tracked, unpack

if TYPE_CHECKING:
    from pathlib import Path

BUILD_MAX_SECONDS: Final = 180
MADE_BY_THE_BUILD: Final = "PKG-INFO"


def build(source: Path, target: Path, kind: str) -> Path:
    """Build one archive with the backend that pyproject.toml names, without a network."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(target)],
        cwd=source, capture_output=True, check=True, timeout=BUILD_MAX_SECONDS,
    )  # fmt: skip
    (made,) = target.glob("*.tar.gz" if kind == "sdist" else "*.whl")
    return made


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that the sdist unpacks to."""
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(build(ROOT, folder / "dist", "sdist")) as archive:
        unpack(archive, folder)
    (made,) = (path for path in folder.iterdir() if path.name != "dist")
    return made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the files of the wheel that this tree makes."""
    return contents(build(ROOT, tmp_path_factory.mktemp("wheel"), "wheel"))


def test_the_sdist_holds_every_file_of_the_project(unpacked: Path) -> None:
    """So that all tests pass in it."""
    held = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
    assert set(tracked()) - {MADE_BY_THE_BUILD} - held == set()


def test_the_sdist_keeps_which_files_are_programs(unpacked: Path) -> None:
    for name in tracked():
        assert (unpacked / name).stat().st_mode & 0o100 == (ROOT / name).stat().st_mode & 0o100, name


def test_the_wheel_is_the_same_from_the_sdist(unpacked: Path, wheel: dict[str, bytes], tmp_path: Path) -> None:
    assert contents(build(unpacked, tmp_path, "wheel")) == wheel


def test_the_wheel_holds_two_typed_packages_the_manual_page_and_nothing_else(wheel: dict[str, bytes]) -> None:
    assert {name.split("/")[0].partition("-")[0] for name in wheel} == {"appfleet", "engine"}
    assert {"appfleet/py.typed", "engine/py.typed"} <= wheel.keys()
    (page,) = (name for name in wheel if name.endswith("share/man/man1/appfleet.1"))
    assert wheel[page] == (ROOT / "docs" / "man" / "appfleet.1").read_bytes()
    assert {name.rpartition("/")[2] for name in wheel if "/licenses/" in name} == {"LICENSE", "NOTICE"}
    code = {name for name in tracked() if name.startswith(("appfleet/", "engine/"))}
    assert {name for name in wheel if name.startswith(("appfleet/", "engine/"))} == code


def test_what_the_wheel_says_of_itself(wheel: dict[str, bytes]) -> None:
    (text,) = (data.decode() for name, data in wheel.items() if name.endswith(".dist-info/METADATA"))
    said = Parser().parsestr(text)
    assert (said["Name"], said["License-Expression"], said["Requires-Python"]) == ("appfleet", "Apache-2.0", ">=3.11")
    classifiers = said.get_all("Classifier") or []
    assert {"Typing :: Typed", "Operating System :: POSIX :: Linux"} <= set(classifiers)
    assert not any("Windows" in one for one in classifiers)
    assert said["Project-URL"] is None  # where it is published is not known, and an invented address may be somebody's
