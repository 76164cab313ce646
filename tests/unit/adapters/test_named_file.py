"""Files that a user named: replaced whole where that is safe, written to where it is not, and never lost."""

from __future__ import annotations

import os
import resource
import socket
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.adapters import named_file
from engine.adapters.named_file import NamedFileError, open_to_append, put_named, write_named, writing_problem
from engine.core.limits import FILE_NAME_MAX_BYTES
from tests.e2e.harness import read_some

if TYPE_CHECKING:
    from collections.abc import Iterator

OLD, NEW = b"what was there before", b"what is new, and longer than what was there"
IS_ROOT = os.geteuid() == 0


@pytest.fixture
def short_disk() -> Iterator[None]:
    """No file may grow beyond a few bytes, as on a disk that is full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(OLD) + 4, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def names_in(folder: Path) -> list[str]:
    return sorted(item.name for item in folder.iterdir())


def test_a_new_file_is_for_its_owner_alone_unless_another_mode_is_asked(tmp_path: Path) -> None:
    write_named(tmp_path / "a", NEW)
    write_named(tmp_path / "b", NEW, 0o644)
    assert (mode_of(tmp_path / "a"), mode_of(tmp_path / "b")) == (0o600, 0o644)
    assert (tmp_path / "a").read_bytes() == NEW
    assert names_in(tmp_path) == ["a", "b"]


def test_a_file_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(OLD)
    path.chmod(0o640)
    before = path.stat().st_ino
    write_named(path, NEW)
    assert (path.read_bytes(), mode_of(path)) == (NEW, 0o640)
    assert path.stat().st_ino != before, "it is replaced in one step, not written over"


@pytest.mark.skipif(not IS_ROOT, reason="only root can make a file of another user")
def test_a_file_that_is_there_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(OLD)
    os.chown(path, 12_345, 12_346)
    write_named(path, NEW)
    assert (path.stat().st_uid, path.stat().st_gid) == (12_345, 12_346)


@pytest.mark.parametrize("data", [NEW, b"short"])
def test_all_names_of_a_file_show_what_is_new(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(OLD)
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    write_named(tmp_path / "b", data)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == data
    assert (tmp_path / "a").samefile(tmp_path / "b")
    assert names_in(tmp_path) == ["a", "b"]


@pytest.mark.usefixtures("short_disk")
@pytest.mark.parametrize("links", [1, 2])
def test_a_full_disk_leaves_what_was_there(tmp_path: Path, links: int) -> None:
    (tmp_path / "a").write_bytes(OLD)
    if links == 2:
        (tmp_path / "b").hardlink_to(tmp_path / "a")
    names = names_in(tmp_path)
    with pytest.raises(NamedFileError, match="File too large"):
        write_named(tmp_path / "a", NEW)
    assert (tmp_path / "a").read_bytes() == OLD
    assert names_in(tmp_path) == names


def test_the_disk_that_fills_up_between_the_proof_and_a_shared_file_leaves_what_was_there(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    (tmp_path / "a").write_bytes(OLD)
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    with pytest.raises(NamedFileError, match="File too large"):
        put_named(tmp_path / "a", NEW, lambda _: request.getfixturevalue("short_disk"))
    assert (tmp_path / "b").read_bytes() == OLD


@pytest.mark.parametrize("is_there", [False, True])
def test_what_is_new_is_on_the_disk_before_it_has_the_name_and_then_the_name_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    """Else a power cut could leave an empty file under the name, or take back what was said to be written."""
    path = tmp_path / "plan.json"
    if is_there:
        path.write_text("old")
    synced: list[tuple[int, str]] = []
    right = os.fsync

    def look(descriptor: int) -> None:
        right(descriptor)
        synced.append((os.fstat(descriptor).st_ino, path.read_text() if path.exists() else ""))

    monkeypatch.setattr("os.fsync", look)
    write_named(path, b"new")
    assert synced == [(path.stat().st_ino, "old" if is_there else ""), (tmp_path.stat().st_ino, "new")]


def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path: Path) -> None:
    goal, path = tmp_path / "elsewhere" / "goal", tmp_path / "plan.json"
    goal.parent.mkdir()
    path.symlink_to(goal)
    write_named(path, OLD)
    goal.chmod(0o644)
    write_named(path, NEW)
    assert path.is_symlink()
    assert (goal.read_bytes(), mode_of(goal)) == (NEW, 0o644)
    assert (names_in(tmp_path), names_in(goal.parent)) == (["elsewhere", "plan.json"], ["goal"])


@pytest.mark.skipif(not IS_ROOT, reason="only root can make a link of another user")
def test_a_link_that_another_user_laid_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "goal").write_bytes(OLD)
    (tmp_path / "link").symlink_to("goal")
    os.chown(tmp_path / "link", 12_345, -1, follow_symlinks=False)
    with pytest.raises(NamedFileError, match="it is a link that belongs to user 12345"):
        write_named(tmp_path / "link", NEW)
    assert (tmp_path / "goal").read_bytes() == OLD


def test_links_that_lead_round_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(NamedFileError, match="its links lead round in a circle"):
        write_named(tmp_path / "a", NEW)


def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    data, got = b"x" * 300_000, []
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def read() -> None:
        os.set_blocking(reader, True)
        while piece := read_some(reader):
            got.append(piece)

    thread = threading.Thread(target=read)
    writer = os.open(path, os.O_WRONLY)  # so that the reader meets no end before the first byte
    thread.start()
    write_named(path, data)
    os.close(writer)
    thread.join()
    os.close(reader)
    assert b"".join(got) == data
    assert stat.S_ISFIFO(path.lstat().st_mode)
    assert names_in(tmp_path) == ["pipe"]


def test_a_pipe_that_nobody_reads_is_an_error_and_no_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NamedFileError, match="it is a pipe that nobody reads"):
        write_named(tmp_path / "pipe", NEW)
    with pytest.raises(NamedFileError, match="it is a pipe that nobody reads"):
        open_to_append(tmp_path / "pipe")


def test_a_reader_that_does_not_read_is_not_waited_for_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(named_file, "NAMED_PIPE_STALL_MAX_SECONDS", 0.01)
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(NamedFileError, match="nobody read from it"):
            write_named(tmp_path / "pipe", b"x" * 1_000_000)
    finally:
        os.close(reader)


@pytest.mark.parametrize("through_a_link", [False, True])
def test_a_device_is_written_to_and_stays_one(tmp_path: Path, through_a_link: bool) -> None:
    path = tmp_path / "null"
    if through_a_link:
        path.symlink_to("/dev/null")
    elif not IS_ROOT:
        pytest.skip("only root can make a device")
    else:
        try:
            os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
            path.open("wb").close()
        except PermissionError:
            pytest.skip("this sandbox lets nobody make or open a device")
    write_named(path, NEW)
    assert stat.S_ISCHR(path.stat().st_mode)
    assert names_in(tmp_path) == ["null"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")  # noqa: PTH110
def test_a_device_that_is_full_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(NamedFileError, match="No space left on device"):
        write_named(tmp_path / "full", NEW)
    assert stat.S_ISCHR((tmp_path / "full").stat().st_mode)


def test_a_descriptor_of_this_process_is_written_to_where_it_is(tmp_path: Path) -> None:
    """`--out /dev/stdout` with standard output in a file: others write to that file too, so it is not replaced."""
    fd = os.open(tmp_path / "page.html", os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        os.write(fd, b"head ")
        (tmp_path / "out").symlink_to(f"/dev/fd/{fd}")
        write_named(tmp_path / "out", b"body ")
        os.close(open_to_append(tmp_path / "out"))
        os.write(fd, b"foot")
    finally:
        os.close(fd)
    assert (tmp_path / "page.html").read_bytes() == b"head body foot"


def test_a_folder_and_a_socket_are_refused_by_their_kind(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "socket"))
    for name, why in (("folder", "it is a folder"), ("socket", "it is a socket")):
        assert writing_problem(tmp_path / name) == why
        with pytest.raises(NamedFileError, match=why):
            write_named(tmp_path / name, NEW)
        with pytest.raises(NamedFileError, match=why):
            open_to_append(tmp_path / name)
    assert names_in(tmp_path) == ["folder", "socket"]


@pytest.mark.skipif(not IS_ROOT, reason="only root can make a disk")
def test_a_disk_is_refused(tmp_path: Path) -> None:
    try:
        os.mknod(tmp_path / "disk", 0o600 | stat.S_IFBLK, os.makedev(7, 200))
    except PermissionError:
        pytest.skip("this sandbox lets nobody make a device")
    assert writing_problem(tmp_path / "disk") == "it is a disk (a block device)"


def test_a_folder_that_is_missing_or_closed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert writing_problem(tmp_path / "none" / "a") == f"there is no folder {tmp_path / 'none'}"
    monkeypatch.setattr(os, "access", lambda path, _mode: path != tmp_path)
    assert writing_problem(tmp_path / "a") == f"this user may not write to the folder {tmp_path}"


def test_a_file_that_this_user_may_not_write_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(OLD)
    monkeypatch.setattr(os, "access", lambda path, _mode: path == tmp_path)
    with pytest.raises(NamedFileError, match="this user may not write to it"):
        write_named(tmp_path / "a", NEW)
    assert (tmp_path / "a").read_bytes() == OLD


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("x" * 300, "it has a name of 300 bytes, and the limit is 255"),
        ("/".join(["x" * 200] * 30), "limit is 4095"),
        ("a\0b", "it has a NUL character in its name"),
        ("a\ud800b", "it has a character in its name that cannot be encoded"),
    ],
)
def test_a_name_that_no_disk_takes_is_told_with_its_limit(tmp_path: Path, name: str, why: str) -> None:
    assert why in writing_problem(tmp_path / name)
    with pytest.raises(NamedFileError, match=why):
        write_named(tmp_path / name, NEW)


def test_the_longest_name_that_a_disk_takes_is_written(tmp_path: Path) -> None:
    write_named(tmp_path / ("x" * FILE_NAME_MAX_BYTES), NEW)
    assert [len(name) for name in names_in(tmp_path)] == [FILE_NAME_MAX_BYTES]


def test_what_does_not_pass_its_proof_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(OLD)

    def refuse(made: Path) -> None:
        assert made.read_bytes() == NEW
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - our own
        put_named(path, NEW, refuse)
    assert (path.read_bytes(), names_in(tmp_path)) == (OLD, ["a"])


def test_a_new_file_never_takes_the_place_of_another(tmp_path: Path) -> None:
    path = tmp_path / "a"

    def somebody_is_faster(_: Path) -> None:
        path.write_bytes(OLD)

    with pytest.raises(FileExistsError):
        put_named(path, NEW, somebody_is_faster, is_new=True)
    assert (path.read_bytes(), names_in(tmp_path)) == (OLD, ["a"])


def test_a_log_file_is_made_for_its_owner_alone_and_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "log"
    (tmp_path / "link").symlink_to(path)
    for name, text in (("log", b"a"), ("link", b"b")):
        fd = open_to_append(tmp_path / name)
        os.write(fd, text)
        os.close(fd)
    assert path.read_bytes() == b"ab"
    assert mode_of(path) == 0o600


def test_a_log_goes_to_a_pipe_that_somebody_reads(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    try:
        fd = open_to_append(tmp_path / "fifo")
        os.write(fd, b"line\n")
        os.close(fd)
        assert read_some(reader) == b"line\n"
    finally:
        os.close(reader)


def test_an_address_is_not_a_file() -> None:
    assert writing_problem(Path("s3://bucket/report.html")) == "it is an address and not a file"
