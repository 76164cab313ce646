"""The folder that a command is called in was removed: no traceback, and words about that very folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

SAID = "the current folder no longer exists. Change to another folder (cd DIR), then run it again"


@pytest.fixture
def lost(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - `run` has a folder first
    """Make the working directory one that was removed."""
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()


@pytest.mark.usefixtures("lost")
@pytest.mark.parametrize(
    "command",
    [
        ["validate"],
        ["history"],
        ["report"],
        ["init", "--name", "x"],
        ["explain", "a/user/b/Canvas/default"],
        ["iam-policy"],
    ],
)
def test_a_folder_that_is_gone_is_told_in_one_line(run: Any, command: list[str]) -> None:
    ran = run(*command)
    assert ran.code == 64
    assert SAID in ran.err
    assert "Traceback" not in ran.err
    assert len(ran.err.splitlines()) == 1


@pytest.mark.usefixtures("lost")
def test_a_run_says_so_in_its_result_too(run: Any) -> None:
    ran = run("apply", "--yes", "--format", "json")
    assert ran.code == 64
    assert SAID.partition(". ")[0] in ran.out


@pytest.mark.usefixtures("lost")
def test_what_names_its_files_in_full_needs_no_folder(run: Any, tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text('schema = 1\nname = "x"\npolicies = []\n')
    assert run("-f", str(tmp_path / "fleet.toml"), "validate").code == 0
    assert run("-f", str(tmp_path / "fleet.toml"), "history").code == 0
    assert run("schema", "fleet").code == 0
    assert run("--version").code == 0
