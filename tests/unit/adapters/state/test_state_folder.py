"""The state folder: closed to others, links refused, and a folder that cannot be written stops nothing."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from engine.adapters.state.state_dir import StateDir
from engine.core.errors import BugError, StateError
from tests.unit.adapters.state.conftest import NOBODY

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path


UMASK = os.umask(0o022)
os.umask(UMASK)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_folder_is_closed_to_others_and_hidden_from_git(folder: Path, state: StateDir) -> None:
    assert mode_of(folder) == 0o700
    assert (folder / ".gitignore").read_text().splitlines()[-1] == "*"
    assert mode_of(folder / ".gitignore") == 0o600
    assert state.problem == ""


def test_missing_parents_are_made(tmp_path: Path) -> None:
    with StateDir.open(tmp_path / "a" / "b" / "state") as state:
        assert state.problem == ""
    assert mode_of(tmp_path / "a" / "b" / "state") == 0o700


def test_an_empty_folder_that_others_may_read_is_closed_to_them(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir(mode=0o755)
    with StateDir.open(tmp_path / "s"):
        assert mode_of(tmp_path / "s") == 0o700


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o2777, 0o702])
@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("used_before", [True, False])
def test_a_folder_that_everybody_may_write_is_refused(
    tmp_path: Path, mode: int, create: bool, used_before: bool
) -> None:
    if used_before:
        StateDir.open(tmp_path / "s").close()
    (tmp_path / "s").mkdir(exist_ok=True)
    (tmp_path / "s").chmod(mode)
    with pytest.raises(StateError, match=rf"may be written by others \(mode {mode:04o}\)\. .*chmod 700 /") as caught:
        StateDir.open(tmp_path / "s", create=create)
    assert caught.value.code == "AF502"
    assert mode_of(tmp_path / "s") == mode


def kubelet_mounts(folder: Path) -> None:
    """Do what kubelet does at each mount of a volume with fsGroup: open everything to the group, and keep the owner."""
    folder.chmod(mode_of(folder) | 0o2770)
    for path in folder.iterdir():
        path.chmod(mode_of(path) | 0o660)


def modes_in(folder: Path) -> dict[str, int]:
    return {path.name: mode_of(path) for path in folder.iterdir()}


def test_a_folder_of_ours_that_the_platform_reopened_is_closed_again_with_all_that_is_in_it(folder: Path) -> None:
    with StateDir.open(folder) as state:
        for name in ("journal.sqlite", "journal.sqlite-wal", "ml.lock", "crash-1.txt", "world.json"):
            state.write_atomically(name, b"kept")
    for _ in range(3):  # night after night
        kubelet_mounts(folder)
        with StateDir.open(folder) as state:
            assert state.problem == ""
            assert state.read("world.json") == b"kept"
        assert mode_of(folder) == 0o700
        assert set(modes_in(folder).values()) == {0o600}


def test_a_folder_made_in_a_volume_with_fs_group_is_closed_from_the_first_night_on(tmp_path: Path) -> None:
    """The bit that hands down the group is inherited from the volume."""
    tmp_path.chmod(0o2775)
    for _ in range(2):
        with StateDir.open(tmp_path / "s") as state:
            assert state.problem == ""
        assert mode_of(tmp_path / "s") == 0o700


def test_looking_closes_a_reopened_folder_of_ours(folder: Path) -> None:
    """`plan` and `status` read a database by its path, which the group could otherwise exchange meanwhile."""
    with StateDir.open(folder) as state:
        state.write_atomically("world.json", b"kept")
    kubelet_mounts(folder)
    with StateDir.open(folder, create=False) as state:
        assert state.read("world.json") == b"kept"
    assert mode_of(folder) == 0o700
    assert set(modes_in(folder).values()) == {0o600}


def test_looking_leaves_a_group_folder_alone_that_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s").chmod(0o2770)
    (tmp_path / "s" / "notes.txt").touch(mode=0o660)
    with StateDir.open(tmp_path / "s", create=False) as state:
        assert state.read("journal.sqlite") is None
    assert mode_of(tmp_path / "s") == 0o2770
    assert modes_in(tmp_path / "s") == {"notes.txt": 0o660 & ~UMASK}


def test_an_empty_folder_of_ours_that_its_group_may_write_is_closed(tmp_path: Path) -> None:
    """`mkdir state` under umask 002, or a folder made by an init container on a volume with fsGroup."""
    (tmp_path / "s").mkdir()
    (tmp_path / "s").chmod(0o2775)
    with StateDir.open(tmp_path / "s") as state:
        assert state.problem == ""
    assert mode_of(tmp_path / "s") == 0o700


def test_a_group_folder_that_holds_something_else_is_refused_and_stays_open_to_its_group(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s").chmod(0o2770)
    (tmp_path / "s" / "main.py").touch()
    with pytest.raises(StateError, match=r"\(main\.py\)"):
        StateDir.open(tmp_path / "s")
    assert mode_of(tmp_path / "s") == 0o2770


def test_what_the_group_put_into_a_reopened_folder_is_not_used(folder: Path, tmp_path: Path) -> None:
    StateDir.open(folder).close()
    kubelet_mounts(folder)
    (tmp_path / "target").write_text("precious")
    (folder / "journal.sqlite").symlink_to(tmp_path / "target")
    with StateDir.open(folder) as state, pytest.raises(StateError, match="is a link, so it is not used"):
        state.has_file("journal.sqlite")
    assert (tmp_path / "target").stat().st_mode & 0o777 == 0o666 & ~UMASK
    assert (tmp_path / "target").read_text() == "precious"


def test_a_file_system_that_keeps_the_folder_open_to_its_group_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some network file systems make up their modes, and take a change without a word."""
    StateDir.open(folder).close()
    kubelet_mounts(folder)
    monkeypatch.setattr(os, "fchmod", lambda *_: None)
    for create in (True, False):
        with pytest.raises(StateError, match=r"may be written by its group \(mode 2770\).*Mount it with mode 0700"):
            StateDir.open(folder, create=create)


def test_the_root_of_a_volume_is_refused_and_the_hint_names_a_folder_inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An emptyDir is root:root 0777, or root:fsGroup 02777; a claim is root:fsGroup 02775."""
    volume = tmp_path / "state volume"
    volume.mkdir()
    volume.chmod(0o2777)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(StateError) as caught:
        StateDir.open(volume)
    assert "belongs to user" in caught.value.message
    assert caught.value.hint == f"A folder inside it works: --state-dir '{volume}/appfleet'"
    monkeypatch.undo()
    with StateDir.open(volume / "appfleet") as state:
        assert state.problem == ""


def test_a_folder_of_somebody_else_that_is_closed_to_us_has_no_folder_inside(unprivileged: Path) -> None:
    if os.getuid() == os.geteuid():
        pytest.skip("needs root, to have a folder of another user")
    os.seteuid(0)
    (unprivileged / "s").mkdir(mode=0o755)
    os.seteuid(NOBODY)
    with pytest.raises(StateError, match=r"belongs to user 0.*Run as its owner, or choose another folder"):
        StateDir.open(unprivileged / "s")


def test_the_hint_for_a_link_names_its_target_absolutely(tmp_path: Path) -> None:
    """The layout that systemd makes for DynamicUser: /var/lib/appfleet -> private/appfleet."""
    (tmp_path / "private" / "appfleet").mkdir(parents=True, mode=0o700)
    (tmp_path / "appfleet").symlink_to("private/appfleet")
    for create in (True, False):
        with pytest.raises(StateError) as caught:
            StateDir.open(tmp_path / "appfleet", create=create)
        assert caught.value.hint == f"Name the folder itself: --state-dir {tmp_path / 'private' / 'appfleet'}"
    with StateDir.open(tmp_path / "private" / "appfleet") as state:
        assert state.problem == ""
    with StateDir.open(tmp_path / "appfleet" / "state") as state:  # a link above the folder is the system's affair
        assert state.problem == ""


@pytest.mark.parametrize("target", ["gone", "s"])
def test_the_hint_for_a_link_without_a_target_does_not_name_one(tmp_path: Path, target: str) -> None:
    (tmp_path / "s").symlink_to(target)
    with pytest.raises(StateError, match=r"is a link, so it is not used\. Its target does not exist\. Remove the link"):
        StateDir.open(tmp_path / "s")


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o007, 0o022, 0o027, 0o077])
def test_no_umask_opens_or_breaks_the_folder(folder: Path, umask: int) -> None:
    old = os.umask(umask)
    try:
        for _ in range(2):
            with StateDir.open(folder) as state:
                state.write_atomically("world.json", b"{}")
                assert state.problem == ""
    finally:
        os.umask(old)
    assert mode_of(folder) == 0o700
    assert set(modes_in(folder).values()) == {0o600}


def test_a_link_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "s").symlink_to(tmp_path / "real")
    with pytest.raises(StateError, match=r"is a link, so it is not used.*--state-dir"):
        StateDir.open(tmp_path / "s")
    assert not any((tmp_path / "real").iterdir())


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("x")
    with pytest.raises(StateError, match="is not a folder"):
        StateDir.open(tmp_path / "s")


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "s").mkdir(mode=0o700)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(StateError, match=r"belongs to user \d+, and this run is user \d+"):
        StateDir.open(tmp_path / "s")


def test_a_folder_that_may_not_be_opened_is_refused(unprivileged: Path) -> None:
    (unprivileged / "s").mkdir(mode=0o000)
    with pytest.raises(StateError, match="cannot be opened: Permission denied"):
        StateDir.open(unprivileged / "s")


def test_a_folder_with_other_files_is_not_taken_over(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for name in ("fleet.toml", "a", "b", "c"):
        (tmp_path / name).touch()
    with pytest.raises(StateError, match=r"not a state folder's \(a, b, c, …\)"):
        StateDir.open(tmp_path)
    assert mode_of(tmp_path) == 0o755
    assert not (tmp_path / ".gitignore").exists()


def test_a_gitignore_of_somebody_else_does_not_make_it_ours(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.pyc\n")
    with pytest.raises(StateError, match=r"\(\.gitignore\)"):
        StateDir.open(tmp_path)


def test_a_used_folder_is_known_without_its_gitignore_and_with_other_files(folder: Path) -> None:
    with StateDir.open(folder) as state:
        state.write_atomically("journal.sqlite", b"")
    (folder / "lost+found").mkdir()
    (folder / ".gitignore").unlink()
    with StateDir.open(folder) as state:
        assert state.problem == ""
    (folder / "world.json").touch()
    with StateDir.open(folder) as state:
        assert state.problem == ""


def test_looking_makes_nothing(folder: Path) -> None:
    with StateDir.open(folder, create=False) as state:
        assert state.fd is None
        assert "does not exist" in state.problem
        assert not state.has_file("journal.sqlite")
        assert state.read("journal.sqlite") is None
    assert not folder.exists()


def test_looking_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir(mode=0o755)
    with StateDir.open(tmp_path / "s", create=False) as state:
        assert state.problem == ""
    assert mode_of(tmp_path / "s") == 0o755
    assert not any((tmp_path / "s").iterdir())


def test_a_folder_that_cannot_be_made_is_a_problem_and_no_error(unprivileged: Path) -> None:
    unprivileged.chmod(0o500)
    with StateDir.open(unprivileged / "s") as state:
        assert state.fd is None
        assert state.problem.endswith("could not be made: Permission denied")
        with pytest.raises(StateError, match=r"could not be written: .*could not be made"):
            state.write_atomically("x", b"")


def test_a_parent_that_is_a_file_is_a_problem_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    with StateDir.open(tmp_path / "f" / "s") as state:
        assert "could not be made" in state.problem


@pytest.mark.parametrize("used_before", [False, True])
def test_a_read_only_folder_is_a_problem_and_no_error(unprivileged: Path, used_before: bool) -> None:
    place = unprivileged / "s"
    place.mkdir(mode=0o700)
    if used_before:
        StateDir.open(place).close()
    place.chmod(0o500)
    with StateDir.open(place) as state:
        assert state.fd is not None
        assert "read-only" in state.problem or "Permission denied" in state.problem


def test_a_read_only_folder_that_is_open_to_others_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stack: ExitStack
) -> None:
    """The mode cannot be changed there either."""
    (tmp_path / "s").mkdir(mode=0o755)

    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "fchmod", refuse)
    state = stack.enter_context(StateDir.open(tmp_path / "s"))
    assert state.problem.endswith("cannot be written: Read-only file system")


def test_a_file_is_replaced_whole(state: StateDir, folder: Path) -> None:
    state.write_atomically("world.json", b"old")
    state.write_atomically("world.json", b"new")
    assert state.read("world.json") == b"new"
    assert sorted(path.name for path in folder.iterdir()) == [".gitignore", "world.json"]


def test_a_write_that_fails_leaves_the_old_file_and_no_litter(
    state: StateDir, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state.write_atomically("world.json", b"old")

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StateError, match=r"world\.json could not be written: No space left on device\. Make"):
        state.write_atomically("world.json", b"new")
    assert state.read("world.json") == b"old"
    assert sorted(path.name for path in folder.iterdir()) == [".gitignore", "world.json"]


def test_what_a_killed_process_of_this_number_left_is_no_hindrance(state: StateDir, folder: Path) -> None:
    (folder / f".world.json.{os.getpid()}.tmp").write_text("half")
    state.write_atomically("world.json", b"{}")
    assert state.read("world.json") == b"{}"


def test_links_in_the_folder_are_refused(state: StateDir, folder: Path, tmp_path: Path) -> None:
    """Row 54."""
    target = tmp_path / "target"
    target.write_text("precious")
    (folder / "x").symlink_to(target)
    for use in (
        lambda: state.read("x"),
        lambda: state.has_file("x"),
        lambda: state.write_atomically("x", b""),
        lambda: state.open_file("x", os.O_RDWR | os.O_CREAT),
    ):
        with pytest.raises(StateError, match="is a link, so it is not used"):
            use()
    assert target.read_text() == "precious"


def test_only_regular_files_are_used(state: StateDir, folder: Path) -> None:
    """A pipe would otherwise block the run for ever."""
    os.mkfifo(folder / "x")
    with pytest.raises(StateError, match="is not a regular file"):
        state.read("x")


def test_a_file_of_somebody_else_is_refused(state: StateDir, monkeypatch: pytest.MonkeyPatch) -> None:
    state.write_atomically("x", b"")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(StateError, match=r"x belongs to user"):
        state.has_file("x")


def test_a_file_that_others_may_read_is_closed_to_them(state: StateDir, folder: Path) -> None:
    for use in (lambda: state.has_file("x"), lambda: state.read("x")):
        (folder / "x").touch()
        (folder / "x").chmod(0o644)
        use()
        assert mode_of(folder / "x") == 0o600


def test_a_descriptor_is_not_inherited(state: StateDir) -> None:
    opened = state.open_file("x", os.O_RDWR | os.O_CREAT)
    try:
        assert not os.get_inheritable(opened)
    finally:
        os.close(opened)


def test_a_file_that_is_too_large_is_not_read(state: StateDir) -> None:
    state.write_atomically("x", b"12345")
    assert state.read("x", max_bytes=5) == b"12345"
    with pytest.raises(StateError, match="larger than 4 bytes"):
        state.read("x", max_bytes=4)


def test_a_file_that_cannot_be_read_says_why(unprivileged: Path) -> None:
    with StateDir.open(unprivileged / "s") as state:
        state.write_atomically("x", b"")
        (unprivileged / "s" / "x").chmod(0o000)
        with pytest.raises(StateError, match="could not be read: Permission denied"):
            state.read("x")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "/etc/passwd", "a\0b"])
def test_only_plain_names_are_taken(state: StateDir, name: str) -> None:
    with pytest.raises(BugError):
        state.has_file(name)


def test_opening_a_file_where_there_is_no_folder_fails_as_open_does(folder: Path) -> None:
    with StateDir.open(folder, create=False) as state, pytest.raises(OSError, match="does not exist"):
        state.open_file("x", os.O_RDWR | os.O_CREAT)
    state.sync()  # nothing to do


def test_the_folder_is_used_through_its_descriptor(state: StateDir, folder: Path) -> None:
    """Swapping the folder for another one during a run does not lead the run there. Row 54."""
    folder.rename(folder.with_name("moved"))
    folder.mkdir()
    state.write_atomically("x", b"1")
    assert (folder.with_name("moved") / "x").exists()
    assert not any(folder.iterdir())
