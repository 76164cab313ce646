"""Only regular files below the fleet file's folder are read, within bounds, each once."""

from __future__ import annotations

import hashlib
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from engine.config.reading import patterns
from engine.config.reading.beneath import FileProblem
from engine.config.reading.files import Folder
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


def test_a_link_is_followed_as_long_as_its_target_is_below_the_folder(tmp_path: Path) -> None:
    """Up and back, through a linked folder, and by an absolute path: where it ends is what counts."""
    home = tmp_path / "fleet"
    (home / "data").mkdir(parents=True)
    (home / "data" / "real.toml").write_text("x = 1")
    (home / "linked").symlink_to("data")
    (tmp_path / "other").symlink_to(home)
    targets = {
        "plain": "data/real.toml",
        "dotted": "./linked/../data/real.toml",
        "up": "../fleet/data/real.toml",
        "absolute": str(home / "data" / "real.toml"),
        "absolute-by-a-link": str(tmp_path / "other" / "data" / "real.toml"),
        "of-a-link": "plain",
    }
    for name, target in targets.items():
        (home / name).symlink_to(target)
    for folder in (home, tmp_path / "other"):
        read = Folder(folder)
        assert {name: read.read(name).data for name in targets if name != "absolute-by-a-link"} == dict.fromkeys(
            targets.keys() - {"absolute-by-a-link"}, b"x = 1"
        )
    assert Folder(tmp_path / "other").read("absolute-by-a-link").data == b"x = 1"


@pytest.mark.parametrize(
    "target", ["/etc/passwd", "../secret.toml", "../fleet/../secret.toml", "a/../../secret.toml", "../../fleet/x", ".."]
)
def test_a_link_that_leads_outside_is_refused_by_name(tmp_path: Path, target: str) -> None:
    home = tmp_path / "fleet"
    (home / "a").mkdir(parents=True)
    (tmp_path / "secret.toml").write_text("")
    (home / "link.toml").symlink_to(target)
    with pytest.raises(FileProblem) as refused:
        Folder(home).read("link.toml")
    assert refused.value.message == f"link.toml is a link to {target}, outside the fleet file's folder"
    assert refused.value.hint == f"Put the file itself below {home}, or link to one that exists"


def test_a_link_that_leads_nowhere_and_one_that_leads_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "gone.toml").symlink_to("data/gone.toml")
    (tmp_path / "one.toml").symlink_to("two.toml")
    (tmp_path / "two.toml").symlink_to("one.toml")
    (tmp_path / "self.toml").symlink_to("self.toml")
    with pytest.raises(FileProblem, match=r"gone\.toml is a link to data/gone\.toml, and there is no such file"):
        Folder(tmp_path).read("gone.toml")
    for name in ("one.toml", "self.toml"):
        with pytest.raises(FileProblem, match=rf"{name} is a link that leads in a circle"):
            Folder(tmp_path).read(name)


def test_what_is_opened_is_what_was_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that becomes a link between two steps is walked as a link, and refused."""
    home, outside = tmp_path / "fleet", tmp_path / "outside"
    for folder in (home / "teams", outside):
        folder.mkdir(parents=True)
        (folder / "t.toml").write_text(folder.name)
    honest = os.open

    def swapped_first(path: Any, flags: int, *more: int, **by: int) -> int:
        if path == "t.toml" and (home / "teams").is_dir() and not (home / "teams").is_symlink():
            (home / "teams").rename(home / "before")
            (home / "teams").symlink_to(outside)
        return honest(path, flags, *more, **by)

    monkeypatch.setattr(os, "open", swapped_first)
    assert Folder(home).read("teams/t.toml").data == b"teams"
    with pytest.raises(FileProblem, match="lies behind teams, a link to"):
        Folder(home).read("teams/t.toml")


def test_a_folder_that_is_replaced_while_it_is_read_is_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the kubelet does to `..data`: the folder that its link named a moment ago is gone."""
    for name in ("..2026_1", "..2026_2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.toml").write_text(name)
    (tmp_path / "..data").symlink_to("..2026_1")
    (tmp_path / "a.toml").symlink_to("..data/a.toml")
    honest = os.readlink

    def replaced(path: Any, **by: int) -> Any:
        target = honest(path, **by)
        if target == "..2026_1":
            (tmp_path / "..tmp").symlink_to("..2026_2")
            (tmp_path / "..tmp").rename(tmp_path / "..data")
            shutil.rmtree(tmp_path / "..2026_1")
        return target

    monkeypatch.setattr(os, "readlink", replaced)
    assert Folder(tmp_path).read("a.toml").data == b"..2026_2"


def test_a_folder_behind_a_link_that_leads_outside_is_not_entered(tmp_path: Path) -> None:
    """Row 49."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "t.toml").write_text("")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "teams").symlink_to(outside)
    folder = Folder(inside)
    for pattern in ("teams/*.toml", "*/*.toml", "**/*.toml"):
        with pytest.raises(FileProblem, match=r"teams is a link to .*outside, outside the fleet file's folder"):
            folder.matching(pattern)
    with pytest.raises(FileProblem, match=r"teams/t\.toml lies behind teams, a link to .*outside"):
        folder.read("teams/t.toml")


def test_a_pattern_follows_links_and_finds_each_file_once(tmp_path: Path) -> None:
    """The layout of a ConfigMap: every name is a link into a folder that begins with two dots."""
    real = tmp_path / "..2026_11_29" / "policies"
    real.mkdir(parents=True)
    (real / "a.toml").write_text("")
    (tmp_path / "..data").symlink_to("..2026_11_29")
    (tmp_path / "policies").symlink_to("..data/policies")
    (real.parent / "b.toml").write_text("")
    (tmp_path / "b.toml").symlink_to("..data/b.toml")
    (tmp_path / "also.toml").symlink_to("b.toml")
    folder = Folder(tmp_path)
    assert folder.matching("policies/*.toml") == ("policies/a.toml",)
    assert folder.matching("*.toml") == ("also.toml",)
    assert folder.matching("**/*.toml") == ("also.toml", "policies/a.toml")
    assert folder.matching("*/*.toml") == ("policies/a.toml",)
    assert folder.read("b.toml") is folder.read("also.toml")


def test_links_between_folders_do_not_lead_a_pattern_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "t.toml").write_text("")
    (tmp_path / "a" / "back").symlink_to("..")
    (tmp_path / "a" / "here").symlink_to(".")
    assert Folder(tmp_path).matching("**/*.toml") == ("a/t.toml",)
    assert Folder(tmp_path).matching("**") == ("a/t.toml",)


def test_a_named_folder_that_is_a_link_to_nothing_is_no_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "policies").symlink_to("gone")
    with pytest.raises(FileProblem, match="policies is a link to gone, and there is no such file"):
        Folder(tmp_path).matching("policies/*.toml")


def test_a_pattern_looks_at_so_many_entries_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "PATTERN_ENTRIES_MAX_COUNT", 2)
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(FileProblem, match="looks at more than 2 files and folders"):
        Folder(tmp_path).matching("*.toml")


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
    def refuse(*_args: object, **_by: object) -> int:
        raise PermissionError(13, "no")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(FileProblem, match="may not be read by this user"):
        Folder(tmp_path).read("a")


def test_a_disk_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_by: object) -> int:
        raise OSError(5, "no")

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(FileProblem, match="cannot be read: Input/output error"):
        Folder(tmp_path).read("a")
