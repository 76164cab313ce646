"""One run a fleet: a lock that the kernel keeps, so that a dead process cannot.

The lock is `flock` on a file that is never removed: there is no stale lock and no flag to force one. What the
file says about its holder is for the message alone and never decides anything. It holds among processes of one
machine; a state that machines share has leases instead (`executor.lease`).

Two locks are taken, always in this order. A run that can use its lock file takes the state folder shared and the
file exclusively, so fleets that share a folder do not wait for each other. A run that cannot make its lock file
(a full disk, a read-only folder) takes the folder itself exclusively, which needs no writing. So the two kinds
exclude each other as well. Where there is no folder and none can be made, the nearest folder above stands for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import json
import os
import pwd
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from engine.adapters.state.state_dir import FILE_MODE, LOCK_SUFFIX, StateDir
from engine.core.bucket_url import safe_name
from engine.core.errors import LockHeldError, LockLostError, StateError
from engine.core.limits import LOCK_ALIVE_MAX_SECONDS, LOCK_INFO_MAX_BYTES, LOCK_POLL_SECONDS
from engine.core.text import clean

_HELD: Final = frozenset({errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES})


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock. `since` is an ISO 8601 time in UTC.

    `command` is the subcommand alone: a whole command line may hold an endpoint with a password in it.
    """

    pid: int
    host: str
    user: str
    since: str
    run_id: str
    command: str

    @classmethod
    def of_this_process(cls, run_id: str, command: str, *, now: float) -> Holder:
        """Describe this process; `now` is epoch seconds."""
        return cls(
            pid=os.getpid(),
            host=socket.gethostname(),
            user=_user_name(),
            since=datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            run_id=run_id,
            command=command,
        )

    def is_dead(self) -> bool:
        """Whether the process is of this machine and gone, so what it left is not about today's holder."""
        if self.host != socket.gethostname():
            return False
        try:
            os.kill(self.pid, 0)
        except (ProcessLookupError, OverflowError):
            return True
        except PermissionError:
            return False
        return False

    def __str__(self) -> str:
        """Return `appfleet apply, run R, process 7 of ann on host h, since T`."""
        return clean(
            f"appfleet {self.command}, run {self.run_id}, process {self.pid} of {self.user} on host {self.host}, "
            f"since {self.since}"
        )


class FleetLock:
    """The lock of one fleet in one state folder. `degraded` says that the folder itself had to be locked."""

    def __init__(self, state: StateDir, fleet: str) -> None:
        self._state = state
        self._fleet = fleet
        self._folder_fd: int | None = None
        self._file_fd: int | None = None
        self.degraded = False
        self.file_name = lock_file_name(fleet)

    @contextlib.asynccontextmanager
    async def acquire(
        self,
        holder: Holder,
        timeout_s: float = 0.0,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> AsyncIterator[None]:
        """Hold the lock for the length of the block, waiting at most `timeout_s` seconds for it.

        Raises LockHeldError when another run has it until then, and StateError where nothing can be locked.
        """
        give_up_at = clock() + timeout_s
        asked_for_name = False
        while not self.try_acquire(holder):
            left = give_up_at - clock()
            if left > 0:
                await sleep(min(LOCK_POLL_SECONDS, left))
            elif asked_for_name or self.read_holder() is not None:
                raise self._held_error(timeout_s)
            else:  # it may have the lock this very moment, and write its name next
                asked_for_name = True
                await sleep(LOCK_POLL_SECONDS)
        try:
            yield
        finally:
            self.release()

    def try_acquire(self, holder: Holder) -> bool:
        """Acquire the lock now; return False when another run has it. Raises StateError where nothing can be locked."""
        if self._folder_fd is not None:
            return False
        file_fd = self._open_lock_file()
        try:
            folder_fd = self._open_folder()
            try:
                taken = self._take(folder_fd, file_fd)
            except BaseException:
                os.close(folder_fd)
                raise
            if not taken:
                os.close(folder_fd)
                _close(file_fd)
                return False
        except BaseException:
            _close(file_fd)
            raise
        self._folder_fd, self._file_fd, self.degraded = folder_fd, file_fd, file_fd is None
        if self.is_lost():  # between the opening and the lock somebody put another file there
            self.release()
            return False
        self._write_holder(holder)
        return True

    def is_lost(self) -> bool:
        """Return whether the lock file or the folder was removed or replaced, so that another run may hold the new one.

        Two looks at the disk: cheap enough to ask before every call.
        """
        if self._folder_fd is None:
            return False
        path = self._state.path
        if self._state.fd is not None and _is_another(path, self._folder_fd):
            return True
        return self._file_fd is not None and _is_another(path / self.file_name, self._file_fd)

    def lost_error(self) -> LockLostError:
        """Return the error of a run whose lock is lost."""
        return LockLostError(
            f"The lock {self._state.path / self.file_name} was removed or replaced while this run held it, so another "
            "run may be working: no new calls are made",
            hint="Find out what removes files from the state folder and exclude it there, then run again",
        )

    def release(self) -> None:
        """Release the lock; doing it twice is harmless."""
        file_fd, folder_fd = self._file_fd, self._folder_fd
        self._file_fd = self._folder_fd = None
        if file_fd is not None:
            # Emptied while still locked, so that nobody reads of a holder that is gone.
            with contextlib.suppress(OSError):
                os.ftruncate(file_fd, 0)
        for descriptor in (file_fd, folder_fd):
            if descriptor is not None:
                # Unlocked and not only closed: a forked child may hold a copy of the descriptor.
                with contextlib.suppress(OSError):
                    fcntl.flock(descriptor, fcntl.LOCK_UN)
                os.close(descriptor)

    def _take(self, folder_fd: int, file_fd: int | None) -> bool:
        if file_fd is None:
            return self._flock(folder_fd, fcntl.LOCK_EX)
        return self._flock(folder_fd, fcntl.LOCK_SH) and self._flock(file_fd, fcntl.LOCK_EX)

    def _flock(self, descriptor: int, kind: int) -> bool:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _HELD:
                return False
            raise StateError(
                f"The state folder {self._state.path} cannot be locked: {error.strerror}",
                hint="Choose a folder on a local disk with --state-dir; without a lock two runs could work at once",
            ) from None
        return True

    def _open_lock_file(self) -> int | None:
        """Return a descriptor of the lock file, or None when it is not there and cannot be made."""
        if self._state.fd is None:
            return None
        for flags in (os.O_RDWR | os.O_CREAT, os.O_RDONLY):
            try:
                return self._state.open_file(self.file_name, flags)
            except OSError:
                continue
        return None

    def _open_folder(self) -> int:
        """Open the state folder a second time: a lock belongs to an opening, so each FleetLock needs its own."""
        if self._state.fd is not None:
            return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._state.fd)
        # The root is always there, so one of them is.
        folder = next(parent for parent in self._state.path.parents if parent.is_dir())
        try:
            return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise StateError(
                f"{self._state.problem}, and {folder} cannot be locked in its place: {error.strerror}",
                hint="Choose a folder of your own with --state-dir",
            ) from None

    def _write_holder(self, holder: Holder) -> None:
        if self._file_fd is None:
            return
        # It is for a message only: a full disk or a descriptor that cannot write loses that and nothing else.
        with contextlib.suppress(OSError):
            os.ftruncate(self._file_fd, 0)
            os.pwrite(self._file_fd, json.dumps(asdict(holder)).encode()[:LOCK_INFO_MAX_BYTES], 0)
            os.fchmod(self._file_fd, FILE_MODE)

    def _held_error(self, timeout_s: float) -> LockHeldError:
        holder = self.read_holder()
        who = "a run that left no name" if holder is None else str(holder)
        waited = f" after waiting {timeout_s:g} s" if timeout_s > 0 else ""
        return LockHeldError(
            f"Another run works on fleet {self._fleet}{waited}: {who} (lock {self._state.path / self.file_name})",
            hint="Wait for it to end, or let this run wait with --lock-timeout 10m; nothing was called",
        )

    def read_holder(self) -> Holder | None:
        """Return what the lock file says of its holder, or None when it says nothing that can be true."""
        if self._state.fd is None:
            return None
        try:
            opened = self._state.open_file(self.file_name, os.O_RDONLY)
        except OSError:
            return None
        try:
            holder = parse_holder(os.pread(opened, LOCK_INFO_MAX_BYTES, 0))
        finally:
            os.close(opened)
        return None if holder is None or holder.is_dead() else holder


def holds(state: StateDir, fleet: str, run_id: str, alive_at: float, *, now: float) -> bool:
    """Return whether a run holds the lock of its fleet, by what the lock file says; the lock is not touched.

    A process of another machine cannot be asked: it lives as long as its signs of life (`alive_at`) are fresh.
    """
    holder = FleetLock(state, fleet).read_holder()
    if holder is None or holder.run_id != run_id:
        return False
    return holder.host == socket.gethostname() or now - alive_at <= LOCK_ALIVE_MAX_SECONDS


def lock_file_name(fleet: str) -> str:
    """Return the name of a fleet's lock file: its own name where that is a safe one, else a hash of it."""
    return safe_name(fleet) + LOCK_SUFFIX


def parse_holder(data: bytes) -> Holder | None:
    """Read what a holder wrote, or None for anything else."""
    try:
        found = json.loads(data)
        values = {item.name: found[item.name] for item in fields(Holder)}
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    pid = values.pop("pid")
    if not isinstance(pid, int) or isinstance(pid, bool) or pid <= 0:
        return None
    if not all(isinstance(value, str) for value in values.values()):
        return None
    return Holder(pid=pid, **values)


def _is_another(path: Path, descriptor: int) -> bool:
    """Return whether `path` is no longer the file that was opened; what cannot be looked at is taken for the same."""
    try:
        found, held = path.stat(), os.fstat(descriptor)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return (found.st_dev, found.st_ino) != (held.st_dev, held.st_ino)


def _close(descriptor: int | None) -> None:
    if descriptor is not None:
        os.close(descriptor)


def _user_name() -> str:
    """Return the user's name, or its number in a container that knows no names."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
