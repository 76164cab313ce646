"""Processes of the command line that begin in milliseconds: forked from one that has already read every module.

A process made so has its own pid, streams, environment, folder, signals and exit code, and ends as any other does; what
it lacks is the second that Python needs to read the modules. What a test shows about that second (signals while the
modules are read, what hides a package, variables of Python's own) needs a process that `subprocess` makes.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT: Final = Path(__file__).parents[1]
ORDER_MAX_BYTES: Final = 128 * 1024  # fits into a socket's buffer, so that an order is sent whole or not at all
TOLD: Final = struct.Struct("i")  # a pid, then an exit code
STARTS_WITHIN_SECONDS: Final = 180.0  # a bound on what hangs, and no measure of a busy machine
DISPOSITIONS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # ignored by a process whose parent ignores them
LIMITS: Final = sorted({value for name, value in vars(resource).items() if name.startswith("RLIMIT_")})
# Read once, by Python or by a package as it is imported, so that a process that is already started cannot obey them.
_AT_START: Final = re.compile(
    r"PYTHON|LD_|MALLOC_|GLIBC_|OPENSSL_|SSLKEYLOGFILE|NO_COLOR|FORCE_COLOR|TYPER_|PROMETHEUS_|PY_SAX_|\w+_EXTENSIONS"
)
LOCALE: Final = re.compile(r"LANG|LC_")


ENGINE: Final = "engine"
APPFLEET: Final = (sys.executable, "-m", ENGINE)


def start(
    words: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    stdin: int | IO[Any] = subprocess.DEVNULL,
    stdout: int | IO[Any] = subprocess.PIPE,
    stderr: int | IO[Any] = subprocess.PIPE,
    cold: bool = False,
    hasty: bool = False,
    module: str = ENGINE,
) -> subprocess.Popen[str]:
    """Start `python -m module`, the command line; `cold` in a process that has to read the modules itself.

    `hasty` in one whose waits are short (`tests.hasty`), if it is not cold.
    """
    command = [sys.executable, "-m", module, *words]
    forked = HastyProcess if hasty else WarmProcess
    kind = subprocess.Popen if cold or not can_obey(env) else forked
    return kind(command, stdin=stdin, stdout=stdout, stderr=stderr, cwd=cwd, env=env, text=True)


class WarmProcess(subprocess.Popen[str]):
    """A process of the command line that the server forks; its pipes, waiting and signals are those of `Popen`."""

    hasty: ClassVar = False
    _ended: int = -1  # the descriptor that the server tells its pid on, then its exit code

    # What `Popen` does by fork, exec and waitpid. Its command is `python -m module words…`.

    def _execute_child(self, args: Sequence[str], *given: Any) -> None:
        _, _, _, _, cwd, env, _, _, _, stdin, p2cwrite, c2pread, stdout, errread, stderr, *_ = given
        told, tell = os.pipe()
        try:
            streams = [stdin, stdout, stderr]
            descriptors = [number if own == -1 else own for number, own in enumerate(streams)]
            _server().order(_order(args, cwd, env, hasty=self.hasty), [*descriptors, tell])
        except BaseException:
            os.close(told)
            raise
        finally:
            os.close(tell)
        self._ended = told
        self.pid = self._told(STARTS_WITHIN_SECONDS)
        self._child_created = True
        close = self._close_pipe_fds  # type: ignore[attr-defined]  # a method of Popen's own
        close(stdin, p2cwrite, c2pread, stdout, errread, stderr)

    def _internal_poll(self, _deadstate: int | None = None) -> int | None:
        if self.returncode is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._wait(0)
        return self.returncode

    def _wait(self, timeout: float | None) -> int:
        if self.returncode is None:
            self.returncode = self._told(timeout)
            os.close(self._ended)
        return self.returncode

    def _told(self, timeout: float | None) -> int:
        """Return the next number that the server tells of this process."""
        if not select.select([self._ended], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        told = os.read(self._ended, TOLD.size)
        if not told:
            raise RuntimeError("the server of warm processes has ended")
        return int(TOLD.unpack(told)[0])


class HastyProcess(WarmProcess):
    """One whose waits are short."""

    hasty = True


class _Server:
    """The process that forks, and the socket that it gets its orders by. It ends when the socket does."""

    def __init__(self) -> None:
        self._link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.warm_server"], stdin=theirs.fileno(), stdout=subprocess.DEVNULL, cwd=ROOT,
                env={**_locale(), "PATH": os.environ["PATH"]},
            )  # fmt: skip

    def order(self, order: bytes, descriptors: list[int]) -> None:
        socket.send_fds(self._link, [order], descriptors)

    def end(self) -> None:
        self._link.close()
        self._process.wait()


_SERVERS: Final[list[_Server]] = []  # one, once the first process was asked for


def _server() -> _Server:
    if not _SERVERS:
        _SERVERS.append(_Server())
    return _SERVERS[0]


def end_server() -> None:
    """End the server, and with it what it forked and is still there."""
    while _SERVERS:
        _SERVERS.pop().end()


def can_obey(environment: Mapping[str, str]) -> bool:
    """Whether a forked process can do what the variables ask for."""
    asked = {name: value for name, value in environment.items() if LOCALE.match(name)}
    return sys.platform == "linux" and asked == _locale() and not any(map(_AT_START.match, environment))


def _locale() -> dict[str, str]:
    """Return what the tests hand on of their own locale, without what Python adds to it."""
    return {name: os.environ[name] for name in ("LANG", "LC_ALL") if name in os.environ}


def _order(command: Sequence[str], cwd: Path, environment: Mapping[str, str], *, hasty: bool) -> bytes:
    """Return what the server is asked for, with what a process takes over from the one that starts it."""
    mask = re.search(r"^Umask:\s*(\d+)$", Path("/proc/self/status").read_text(), re.MULTILINE)
    order = {
        "module": command[2],
        "words": command[3:],
        "cwd": str(cwd),
        "environment": dict(environment),
        "limits": [(number, resource.getrlimit(number)) for number in LIMITS],
        "umask": int(mask[1], 8) if mask else 0o022,
        "hasty": hasty,
        "ignored": [number for number in DISPOSITIONS if signal.getsignal(number) is signal.SIG_IGN],
    }
    return json.dumps(order).encode()
