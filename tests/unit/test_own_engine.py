"""Which `engine` Python imports, and appfleet's own where another comes first. tests/e2e/test_shadowed.py runs it."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

import appfleet
import engine
from appfleet import own_engine
from engine.cli import main as command

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of another package of that name that comes first on sys.path; none is imported yet."""
    monkeypatch.delitem(sys.modules, "engine")
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "engine" / "__init__.py"
    file.parent.mkdir()
    file.touch()
    return file


def test_our_own_is_no_other_imported_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert own_engine.other_engine() == ""
    monkeypatch.delitem(sys.modules, "engine")
    assert own_engine.other_engine() == ""


def test_a_folder_that_is_no_package_is_no_other(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere.unlink()
    assert own_engine.other_engine() == ""
    monkeypatch.setattr(sys, "path", [str(elsewhere.parent.parent)])
    assert own_engine.other_engine() == ""


def test_another_that_would_be_imported_is_found_and_our_own_imported_instead(elsewhere: Path) -> None:
    assert own_engine.other_engine() == str(elsewhere)
    assert own_engine.import_own_engine()
    assert sys.modules["engine"].__file__ == engine.__file__
    assert own_engine.other_engine() == ""


def test_another_that_is_imported_is_left_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "engine", ModuleType("engine"))
    assert own_engine.other_engine() == "<module 'engine'>"
    assert not own_engine.import_own_engine()
    with pytest.raises(ImportError, match="another Python package named engine hides appfleet's own: <module"):
        appfleet.__getattr__("AppKey")  # as an import of the name does


def test_the_entry_names_another_and_works_or_ends(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(command, "main", lambda: 7)
    assert appfleet.main() == 7
    assert capsys.readouterr().err.startswith(
        f"appfleet: note: Python finds another package named engine first: {elsewhere}."
    )
    monkeypatch.setitem(sys.modules, "engine", ModuleType("engine"))
    assert appfleet.main() == 64
    assert "error AF101" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stderr", None)
    assert appfleet.main() == 64


def test_windows_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("os.name", "nt")
    assert appfleet.main() == 64
    monkeypatch.undo()
    assert capsys.readouterr().err.startswith("appfleet: error AF101: appfleet does not run on Windows.")


def test_a_signal_while_modules_are_read_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[object] = []
    monkeypatch.setattr("os.write", lambda *given: ended.append(given))
    monkeypatch.setattr("os._exit", ended.append)
    appfleet._leave()
    assert ended == [(2, b"appfleet: interrupted\n"), 130]
