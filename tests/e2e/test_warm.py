"""A process that the server forked is what `python -m` would have made: in all that it can see, and in how it ends."""

from __future__ import annotations

import json
import os
import pty
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.limits import SETTLE_TICK_MIN_SECONDS
from tests import warm
from tests.architecture.files import ROOT
from tests.e2e.harness import PROCESS_MAX_SECONDS, line_of, until
from tests.hasty import BOUNDS

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the server is for Linux")
PROBE = "tests.e2e.probe"


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    return {**kept, "HOME": str(tmp_path / "at home"), "TZ": "Asia/Tokyo", "TMPDIR": str(tmp_path), "ODD": "\udcff ü"}


@pytest.fixture
def terminal() -> Iterator[int]:
    ours, theirs = pty.openpty()
    yield theirs
    os.close(ours)
    os.close(theirs)


def seen(tmp_path: Path, variables: dict[str, str], **more: Any) -> list[dict[str, Any]]:
    """Return what a process sees that is forked, and what one sees that is not."""
    found = []
    for cold in (False, True):
        with warm.start(["a", "ü \udcfe"], cwd=tmp_path, env=variables, module=PROBE, cold=cold, **more) as process:
            process.communicate(timeout=PROCESS_MAX_SECONDS)
        assert isinstance(process, warm.WarmProcess) is not cold
        assert process.returncode == 7
        found.append(json.loads((tmp_path / "seen.json").read_text()))
    for one in found:
        one["descriptors"] = {name: goal.partition("[")[0] for name, goal in one["descriptors"].items()}  # of pipes
    return found


def test_it_sees_the_same_behind_pipes(tmp_path: Path, variables: dict[str, str]) -> None:
    forked, real = seen(tmp_path, variables)
    assert forked == real
    assert set(forked["descriptors"]) == {"0", "1", "2", "3"}
    assert forked["variables"].items() >= variables.items()


def test_it_sees_the_same_at_a_terminal(tmp_path: Path, variables: dict[str, str], terminal: int) -> None:
    forked, real = seen(tmp_path, variables, stdin=terminal, stdout=terminal, stderr=terminal)
    assert forked == real
    assert [one["terminal"] for one in forked["streams"]] == [True] * 3


def test_it_takes_over_what_its_parent_ignores_and_masks_and_limits(tmp_path: Path, variables: dict[str, str]) -> None:
    before = [(number, signal.signal(number, signal.SIG_IGN)) for number in warm.DISPOSITIONS]
    mask = os.umask(0o077)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 1, hard))
    try:
        forked, real = seen(tmp_path, variables)
    finally:
        os.umask(mask)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for number, handler in before:
            signal.signal(number, handler)
    assert forked == real
    assert forked["umask"] == 0o077


def test_two_of_them_have_each_their_own_pid_and_chance(tmp_path: Path, variables: dict[str, str]) -> None:
    found = set()
    for _ in range(2):
        with warm.start([], cwd=tmp_path, env=variables, module=PROBE) as process:
            process.communicate(timeout=PROCESS_MAX_SECONDS)
        chance, pid = (tmp_path / "chance").read_text().split()
        assert int(pid) == process.pid
        found |= {chance, pid}
    assert len(found) == 4


@pytest.mark.parametrize(
    "code",
    [
        "print('kept'); sys.exit()",
        "sys.exit('a text')",
        "sys.exit(300)",
        "sys.exit(-1)",
        "sys.exit(True)",
        "print('said')",
        "sys.stdout.close(); sys.exit(3)",
        "sys.stdout = None; sys.exit(3)",
        "print('not written', file=sys.stderr, end=''); print('lost'); os.dup2(full, 1); sys.exit(3)",
        "atexit.register(print, 'at the end'); sys.exit(3)",
        "atexit.register(print, 'not written'); os.dup2(full, 1); sys.exit(3)",
        "Thread(target=lambda: (main_thread().join(), print('waited for'))).start(); sys.exit(3)",
        "held = Held(); held.itself = held; del held; sys.exit(3)",
        "os.kill(os.getpid(), 2)",
        "os.kill(os.getpid(), 15)",
    ],
)
def test_it_ends_as_one_that_is_not_forked(tmp_path: Path, variables: dict[str, str], code: str) -> None:
    before = (
        "import atexit, os, sys; from threading import Thread, main_thread\n"
        "full = os.open('/dev/full', os.O_WRONLY)\n"
        "class Held:\n    def __del__(self): print('let go')\n"
    )
    (tmp_path / "odd.py").write_text(before + code)
    found = []
    for cold in (False, True):
        with warm.start([], cwd=tmp_path, env=variables, module="odd", cold=cold) as process:
            out, err = process.communicate(timeout=PROCESS_MAX_SECONDS)
        found.append((process.returncode, out, "KeyboardInterrupt" if "KeyboardInterrupt" in err else err))
    assert found[0] == found[1]


def test_only_a_hasty_one_waits_shortly(tmp_path: Path, variables: dict[str, str]) -> None:
    (tmp_path / "waits.py").write_text("from engine.executor import watcher; print(watcher.SETTLE_TICK_MIN_SECONDS)")
    found = []
    for how in ({"hasty": True}, {}, {"hasty": True, "cold": True}):
        with warm.start([], cwd=tmp_path, env=variables, module="waits", **how) as process:
            found.append(float(process.communicate(timeout=PROCESS_MAX_SECONDS)[0]))
    assert found == [BOUNDS["engine.executor.watcher.SETTLE_TICK_MIN_SECONDS"], *[SETTLE_TICK_MIN_SECONDS] * 2]


def test_events_of_the_library_have_the_names_that_it_looks_up(tmp_path: Path, variables: dict[str, str]) -> None:
    """The server remembers them."""
    names = ["before-call.sagemaker.ListApps", "creating-client-class.service-quotas", "choose-signer.sso.*"]
    (tmp_path / "looks.py").write_text(
        "from botocore.session import Session\n"
        f"print([Session().get_component('event_emitter')._alias_event_name(name) for name in {names * 2}])"
    )
    found = []
    for cold in (False, True):
        with warm.start([], cwd=tmp_path, env=variables, module="looks", cold=cold) as process:
            found.append(process.communicate(timeout=PROCESS_MAX_SECONDS))
        assert process.returncode == 0
    assert found[0] == found[1]


def test_nothing_else_is_computed_from_home_as_modules_are_read() -> None:
    """The server has to compute it again for each process."""
    code = (
        "import gc; from tests.warm_server import read_modules, _move_home; read_modules(); import os\n"
        "os.environ['HOME'] = '/moved'; _move_home(); gc.unfreeze()\n"
        "def parts(one):\n"
        "    return one.values() if isinstance(one, dict) else one if isinstance(one, (tuple, list, set)) else ()\n"
        "kept = {part for one in gc.get_objects() for part in parts(one) if isinstance(part, str)}\n"
        "import site\n"  # a folder of packages in HOME is Python's own affair
        "below = {part for part in kept if part.startswith('/nobodys/') and part.count('/') > 3}\n"
        "print(*below - {site.USER_BASE, site.USER_SITE})"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"HOME": "/nobodys/home"},
        capture_output=True,
        text=True,
        check=True,
        timeout=PROCESS_MAX_SECONDS,
    )
    assert ran.stdout.split() == []


@pytest.mark.parametrize("name", ["PYTHONPATH", "LD_PRELOAD", "NO_COLOR", "LC_ALL", "AIOHTTP_NO_EXTENSIONS"])
def test_a_variable_that_is_read_at_the_start_gets_a_process_of_its_own(
    tmp_path: Path, variables: dict[str, str], name: str
) -> None:
    with warm.start(["--version"], cwd=tmp_path, env={**variables, name: ""}) as process:
        process.communicate(timeout=PROCESS_MAX_SECONDS)
    assert not isinstance(process, warm.WarmProcess)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGQUIT])
def test_a_signal_that_nothing_handles_is_its_end(
    tmp_path: Path, variables: dict[str, str], number: signal.Signals
) -> None:
    with warm.start(["simulate"], cwd=tmp_path, env=variables) as process:
        assert line_of(process)
        assert process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0)
        process.send_signal(number)
        assert process.wait(PROCESS_MAX_SECONDS) == -number
        process.send_signal(number)  # nobody else's pid


def test_the_end_of_whoever_began_it_is_the_end_of_all_that_was_forked(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom tests import warm\n"
        "one = warm.start(['simulate'], cwd=Path(sys.argv[1]), env=dict(PATH='/bin'))\n"
        "one.stdout.readline()\nprint(one.pid, warm._SERVERS[0]._process.pid, flush=True)\nsys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    environment = {"PATH": os.environ["PATH"]}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        try:
            forked, server = (int(pid) for pid in line_of(parent).split())
            assert is_running(forked)
            assert is_running(server)
        finally:
            parent.kill()
    until(lambda: not is_running(forked) and not is_running(server), "both have ended")


def is_running(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
