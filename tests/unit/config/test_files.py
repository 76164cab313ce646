"""Only regular files below the fleet file's folder are read, within bounds, each once."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from engine.config.files import FileProblem, Folder
from engine.core.limits import FLEET_FILE_MAX_BYTES

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_read_once_and_hashed(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"x = 1\n")
    folder = Folder(tmp_path)
    first = folder.read("a.toml")
    (tmp_path / "a.toml").write_bytes(b"x = 2\n")
    assert folder.read("a.toml") is first
    assert folder.inputs() == (("a.toml", hashlib.sha256(b"x = 1\n").hexdigest()),)
    assert first.shown == str(tmp_path / "a.toml")


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "real.toml").write_text("")
    (tmp_path / "link.toml").symlink_to("real.toml")
    with pytest.raises(FileProblem, match=r"link\.toml is a link, and links are not followed"):
        Folder(tmp_path).read("link.toml")


def test_the_fleet_file_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.toml").write_text("x = 1")
    (tmp_path / "fleet.toml").symlink_to("real.toml")
    assert Folder(tmp_path).read_root("fleet.toml").data == b"x = 1"


def test_a_folder_behind_a_link_is_not_entered(tmp_path: Path) -> None:
    """Row 49."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "t.toml").write_text("")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "teams").symlink_to(outside)
    folder = Folder(inside)
    assert folder.matching("teams/*.toml") == ("teams/t.toml",)
    with pytest.raises(FileProblem, match="lies behind the link teams"):
        folder.read("teams/t.toml")


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(FileProblem, match="is not a regular file"):
        Folder(tmp_path).read("pipe.toml")


def test_a_large_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """Row 48."""
    with (tmp_path / "big.toml").open("wb") as opened:
        opened.truncate(FLEET_FILE_MAX_BYTES + 1)
    with pytest.raises(FileProblem, match=r"larger than 5,000,000 bytes") as refused:
        Folder(tmp_path).read("big.toml")
    assert "Split it" in refused.value.hint


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.toml").write_bytes(b"x")
    monkeypatch.setattr(os, "read", lambda _descriptor, size: b"y" * size)
    with pytest.raises(FileProblem, match="larger than"):
        Folder(tmp_path).read("a.toml")


def test_all_files_together_are_bounded(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(b"12345")
    folder = Folder(tmp_path, max_total_bytes=12)
    folder.read("a")
    folder.read("b")
    with pytest.raises(FileProblem, match="more than 12 bytes together"):
        folder.read("c")


def test_the_number_of_files_is_bounded(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(b"")
    folder = Folder(tmp_path, max_files=2)
    with pytest.raises(FileProblem, match="matches more than 2 files"):
        folder.matching("*")
    folder.read("a")
    folder.read("b")
    with pytest.raises(FileProblem, match="more than 2 files"):
        folder.read("c")


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "~/x", "", "a\0b"])
def test_paths_that_leave_the_folder(tmp_path: Path, path: str) -> None:
    folder = Folder(tmp_path)
    with pytest.raises(FileProblem):
        folder.read(path)
    with pytest.raises(FileProblem):
        folder.matching(path)


def test_matches_are_sorted_and_hold_no_folders(tmp_path: Path) -> None:
    for name in ("b.toml", "a.toml", "c.csv"):
        (tmp_path / name).write_text("")
    (tmp_path / "d.toml").mkdir()
    (tmp_path / "d.toml" / "e.toml").write_text("")
    folder = Folder(tmp_path)
    assert folder.matching("*.toml") == ("a.toml", "b.toml")
    assert folder.matching("**/*.toml") == ("a.toml", "b.toml", "d.toml/e.toml")
    assert folder.matching("./a.toml") == ("a.toml",)
    assert folder.matching("x/*.toml") == ()


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object) -> int:
        raise PermissionError(13, "no")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(FileProblem, match="may not be read by this user"):
        Folder(tmp_path).read("a")


def test_a_disk_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object) -> int:
        raise OSError(5, "no")

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(FileProblem, match="cannot be read: Input/output error"):
        Folder(tmp_path).read("a")


def test_a_pattern_that_the_system_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: Path, _pattern: str) -> None:
        raise NotImplementedError

    monkeypatch.setattr(type(tmp_path), "glob", refuse)
    with pytest.raises(FileProblem, match="is not a pattern for files"):
        Folder(tmp_path).matching("*")
