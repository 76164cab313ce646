"""The lock: one run a fleet, kept by the kernel, with a message that says who."""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.adapters.state.lock import FleetLock, Holder, holds, lock_file_name, parse_holder
from engine.adapters.state.state_dir import StateDir
from engine.core.errors import ExitCode, LockHeldError, StateError
from engine.core.limits import LOCK_ALIVE_MAX_SECONDS, LOCK_POLL_SECONDS
from tests.e2e.harness import line_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


ME = Holder(os.getpid(), socket.gethostname(), "ann", "2026-11-24T01:00:00Z", "r1", "apply")
TIMEOUT_S = 180

HOLD = """
import os, sys
from pathlib import Path
from engine.adapters.state.lock import FleetLock, Holder
from engine.adapters.state.state_dir import StateDir
state = StateDir.open(Path(sys.argv[1]))
lock = FleetLock(state, "ml")
print("ready", flush=True)
if sys.argv[2] == "together":
    sys.stdin.readline()
got = lock.try_acquire(Holder.of_this_process("run-of-child", "apply", now=1.8e9))
if sys.argv[2] == "heir":
    import subprocess
    heir = subprocess.Popen(["sleep", "60"], close_fds=False)
    print(heir.pid, flush=True)
print("won" if got else "lost", flush=True)
sys.stdin.readline()
"""


@contextmanager
def child(folder: Path, kind: str = "hold") -> Iterator[subprocess.Popen[str]]:
    """Run a process that takes the lock; it is ended with the block."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert said(process) == "ready"
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> str:
    return line_of(process).strip()


def tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def open_descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


class Waiting:
    """A clock that only sleeping moves; `on_sleep` happens while waiting."""

    def __init__(self, on_sleep: Callable[[], object] = lambda: None) -> None:
        self.now = 50.0
        self.slept: list[float] = []
        self.on_sleep = on_sleep

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        self.on_sleep()


async def test_it_is_held_for_the_length_of_the_block(state: StateDir) -> None:
    first, second = FleetLock(state, "ml"), FleetLock(state, "ml")
    async with first.acquire(ME):
        assert not second.try_acquire(ME)
        assert not first.try_acquire(ME)
    assert second.try_acquire(ME)
    second.release()
    second.release()


async def test_it_is_given_back_when_the_block_fails(state: StateDir) -> None:
    with pytest.raises(ZeroDivisionError):
        async with FleetLock(state, "ml").acquire(ME):
            raise ZeroDivisionError
    async with FleetLock(state, "ml").acquire(ME):
        pass


async def test_two_fleets_of_one_folder_do_not_wait_for_each_other(state: StateDir) -> None:
    async with FleetLock(state, "ml").acquire(ME), FleetLock(state, "web").acquire(ME):
        pass


async def test_a_held_lock_says_who_since_when_and_what_to_do(state: StateDir, folder: Path) -> None:
    async with FleetLock(state, "ml").acquire(ME):
        with pytest.raises(LockHeldError) as caught:
            async with FleetLock(state, "ml").acquire(ME):
                pass
    text = str(caught.value)
    assert f"process {ME.pid} of ann on host {ME.host}, since 2026-11-24T01:00:00Z" in text
    assert "appfleet apply, run r1, " in text
    assert str(folder / "ml.lock") in text
    assert "--lock-timeout 10m" in text
    assert caught.value.exit_code is ExitCode.LOCKED
    assert caught.value.code == "AF501"


async def test_waiting_polls_at_the_named_interval_and_ends_in_time(state: StateDir) -> None:
    waiting = Waiting()
    async with FleetLock(state, "ml").acquire(ME):
        with pytest.raises(LockHeldError, match=r"after waiting 1\.2 s"):
            async with FleetLock(state, "ml").acquire(ME, 1.2, clock=waiting.clock, sleep=waiting.sleep):
                pass
    assert waiting.slept == pytest.approx([LOCK_POLL_SECONDS, LOCK_POLL_SECONDS, 0.2])


async def test_a_holder_that_has_not_written_its_name_yet_is_named_a_moment_later(
    state: StateDir, folder: Path
) -> None:
    async with FleetLock(state, "ml").acquire(ME):
        written = (folder / "ml.lock").read_bytes()
        (folder / "ml.lock").write_bytes(b"")
        waiting = Waiting(on_sleep=lambda: (folder / "ml.lock").write_bytes(written))
        with pytest.raises(LockHeldError, match=f"process {ME.pid} of ann"):
            async with FleetLock(state, "ml").acquire(ME, clock=waiting.clock, sleep=waiting.sleep):
                pass
        (folder / "ml.lock").write_bytes(b"")
        waiting.on_sleep = lambda: None
        with pytest.raises(LockHeldError, match="a run that left no name"):
            async with FleetLock(state, "ml").acquire(ME, clock=waiting.clock, sleep=waiting.sleep):
                pass
    assert waiting.slept == [LOCK_POLL_SECONDS] * 2


async def test_waiting_ends_when_the_lock_is_free(state: StateDir) -> None:
    first = FleetLock(state, "ml")
    assert first.try_acquire(ME)
    waiting = Waiting(on_sleep=first.release)
    async with FleetLock(state, "ml").acquire(ME, 60, clock=waiting.clock, sleep=waiting.sleep):
        assert waiting.slept == [LOCK_POLL_SECONDS]


def test_the_file_stays_is_closed_to_others_and_names_nobody_when_free(state: StateDir, folder: Path) -> None:
    lock = FleetLock(state, "ml")
    assert lock.try_acquire(ME)
    assert (folder / "ml.lock").stat().st_mode & 0o777 == 0o600
    assert lock.read_holder() == ME
    lock.release()
    assert (folder / "ml.lock").read_bytes() == b""
    assert lock.read_holder() is None


def test_killing_the_holder_frees_it(state: StateDir, folder: Path) -> None:
    with child(folder) as holder:
        assert said(holder) == "won"
        lock = FleetLock(state, "ml")
        assert not lock.try_acquire(ME)
        found = lock.read_holder()
        assert found is not None
        assert (found.pid, found.run_id, found.since) == (holder.pid, "run-of-child", "2027-01-15T08:00:00Z")
        holder.send_signal(signal.SIGKILL)
        holder.wait(TIMEOUT_S)
        assert lock.read_holder() is None  # what it left is not believed
        assert lock.try_acquire(ME)
        lock.release()


def test_a_program_that_the_holder_started_does_not_keep_it(state: StateDir, folder: Path) -> None:
    with child(folder, "heir") as holder:
        heir = int(said(holder))
        try:
            assert said(holder) == "won"
            holder.kill()
            holder.wait(TIMEOUT_S)
            os.kill(heir, 0)  # it lives
            lock = FleetLock(state, "ml")
            assert lock.try_acquire(ME)
            lock.release()
        finally:
            os.kill(heir, signal.SIGKILL)


def test_of_two_processes_at_the_same_moment_exactly_one_wins(folder: Path) -> None:
    """Row 43."""
    for _ in range(3):
        with child(folder, "together") as one, child(folder, "together") as other:
            tell(one)
            tell(other)
            assert sorted([said(one), said(other)]) == ["lost", "won"]


def test_what_a_dead_process_left_is_not_named(state: StateDir, folder: Path) -> None:
    """Between taking the lock and writing its name, a holder is nobody rather than its dead predecessor."""
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True, timeout=TIMEOUT_S
    )
    lock = FleetLock(state, "ml")
    assert lock.try_acquire(ME)
    dead = {**json.loads((folder / "ml.lock").read_bytes()), "pid": int(gone.stdout)}
    (folder / "ml.lock").write_text(json.dumps(dead))
    other = FleetLock(state, "ml")
    assert not other.try_acquire(ME)
    assert other.read_holder() is None
    lock.release()


@pytest.mark.parametrize(
    ("pid", "host", "dead"),
    [(1, ME.host, False), (10**30, ME.host, True), (10**30, "elsewhere", False), (os.getpid(), ME.host, False)],
    ids=["init", "no-such-process", "elsewhere", "this-one"],
)
def test_only_a_process_of_this_machine_can_be_known_to_be_dead(pid: int, host: str, dead: bool) -> None:
    assert Holder(pid, host, "ann", "", "", "").is_dead() is dead


def test_a_process_of_another_user_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    assert not Holder(7, ME.host, "ann", "", "", "").is_dead()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        json.dumps({"pid": "7", "host": "", "user": "", "since": "", "run_id": "", "command": ""}).encode(),
        json.dumps({"pid": True, "host": "", "user": "", "since": "", "run_id": "", "command": ""}).encode(),
        json.dumps({"pid": -1, "host": "", "user": "", "since": "", "run_id": "", "command": ""}).encode(),
        json.dumps({"pid": 7, "host": [], "user": "", "since": "", "run_id": "", "command": ""}).encode(),
    ],
)
def test_a_file_that_says_nothing_sensible_names_nobody(data: bytes) -> None:
    assert parse_holder(data) is None


async def test_an_unreadable_holder_is_a_run_that_left_no_name(state: StateDir, folder: Path) -> None:
    async with FleetLock(state, "ml").acquire(ME):
        (folder / "ml.lock").write_bytes(b"nonsense")
        with pytest.raises(LockHeldError, match="a run that left no name"):
            async with FleetLock(state, "ml").acquire(ME):
                pass


def test_a_holder_with_control_characters_is_shown_clean() -> None:
    assert "\x1b" not in str(Holder(7, "h\x1b[2J", "ann", "", "r", "apply"))


def test_this_process_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    holder = Holder.of_this_process("r9", "apply", now=0.0)
    assert (holder.pid, holder.since, holder.run_id) == (os.getpid(), "1970-01-01T00:00:00Z", "r9")

    def unknown(_: int) -> None:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert Holder.of_this_process("r9", "apply", now=0.0).user == str(os.geteuid())


@pytest.mark.parametrize("fleet", ["../x", "", "a/b", "ä", "a" * 65, ".hidden", "\udc80"])
def test_a_fleet_name_that_is_no_file_name_gets_one(fleet: str) -> None:
    name = lock_file_name(fleet)
    assert len(name) == 37
    assert name.endswith(".lock")
    assert name != lock_file_name(fleet + "x")


def test_a_link_in_place_of_the_lock_file_is_refused(state: StateDir, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "target").write_text("precious")
    (folder / "ml.lock").symlink_to(tmp_path / "target")
    with pytest.raises(StateError, match="is a link"):
        FleetLock(state, "ml").try_acquire(ME)
    assert (tmp_path / "target").read_text() == "precious"


def test_a_file_system_without_locks_is_refused_and_leaves_nothing_open(
    state: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> None:
        raise OSError(95, "Operation not supported")

    before = open_descriptors()
    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(StateError, match=r"cannot be locked: Operation not supported.*local disk"):
        FleetLock(state, "ml").try_acquire(ME)
    assert open_descriptors() == before


def test_losing_leaves_nothing_open(state: StateDir) -> None:
    winner, loser = FleetLock(state, "ml"), FleetLock(state, "ml")
    assert winner.try_acquire(ME)
    before = open_descriptors()
    assert not loser.try_acquire(ME)
    assert open_descriptors() == before
    winner.release()
    assert open_descriptors() == before - 2


class TestWithoutWriting:
    """A folder that cannot be written still has one run a fleet at a time."""

    @pytest.fixture
    def read_only(self, unprivileged: Path, stack: ExitStack) -> StateDir:
        StateDir.open(unprivileged / "s").close()
        (unprivileged / "s").chmod(0o500)
        return stack.enter_context(StateDir.open(unprivileged / "s"))

    def test_the_folder_itself_is_locked(self, read_only: StateDir) -> None:
        first, second = FleetLock(read_only, "ml"), FleetLock(read_only, "ml")
        assert first.try_acquire(ME)
        assert first.degraded
        assert not second.try_acquire(ME)
        assert second.read_holder() is None
        first.release()
        assert second.try_acquire(ME)
        second.release()

    def test_an_old_lock_file_is_locked_though_it_cannot_be_written(
        self, read_only: StateDir, unprivileged: Path
    ) -> None:
        (unprivileged / "s").chmod(0o700)
        (unprivileged / "s" / "ml.lock").touch(mode=0o400)
        (unprivileged / "s").chmod(0o500)
        first, second = FleetLock(read_only, "ml"), FleetLock(read_only, "ml")
        assert first.try_acquire(ME)
        assert not first.degraded
        assert not second.try_acquire(ME)
        first.release()

    def test_a_run_that_cannot_write_and_one_that_can_exclude_each_other(
        self, read_only: StateDir, unprivileged: Path
    ) -> None:
        cannot, can = FleetLock(read_only, "ml"), FleetLock(read_only, "ml")
        assert cannot.try_acquire(ME)
        (unprivileged / "s").chmod(0o700)
        assert not can.try_acquire(ME)
        cannot.release()
        assert can.try_acquire(ME)
        assert not can.degraded
        (unprivileged / "s" / "ml.lock").unlink()
        (unprivileged / "s").chmod(0o500)
        assert not cannot.try_acquire(ME)
        can.release()

    def test_a_folder_that_is_not_there_is_locked_by_the_one_above(self, unprivileged: Path) -> None:
        unprivileged.chmod(0o500)
        with StateDir.open(unprivileged / "a" / "s") as state:
            first, second = FleetLock(state, "ml"), FleetLock(state, "ml")
            assert first.try_acquire(ME)
            assert first.degraded
            assert not second.try_acquire(ME)
            assert second.read_holder() is None
            first.release()

    def test_where_nothing_can_be_locked_no_run_starts(self, unprivileged: Path) -> None:
        unprivileged.chmod(0o100)
        with (
            StateDir.open(unprivileged / "s") as state,
            pytest.raises(StateError, match="cannot be locked in its place: Permission denied"),
        ):
            FleetLock(state, "ml").try_acquire(ME)

    def test_a_full_disk_costs_the_name_alone(self, state: StateDir, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: object) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "pwrite", full)
        lock = FleetLock(state, "ml")
        assert lock.try_acquire(ME)
        assert lock.read_holder() is None
        lock.release()


def test_a_run_of_another_machine_holds_its_lock_while_its_signs_of_life_are_fresh(tmp_path: Path) -> None:
    with StateDir.open(tmp_path / "state") as state:
        lock = FleetLock(state, "ml")
        assert lock.try_acquire(replace(ME, host="elsewhere"))
        fresh, stale = 1_000.0 - LOCK_ALIVE_MAX_SECONDS, 999.0 - LOCK_ALIVE_MAX_SECONDS
        assert holds(state, "ml", "r1", fresh, now=1_000.0)
        assert not holds(state, "ml", "r1", stale, now=1_000.0)
        assert not holds(state, "ml", "another", fresh, now=1_000.0)
        assert not holds(state, "web", "r1", fresh, now=1_000.0)
        lock.release()
        assert not holds(state, "ml", "r1", fresh, now=1_000.0)
