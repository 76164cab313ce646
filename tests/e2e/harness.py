"""The command line as a process, before a simulated SageMaker on loopback, over a small fleet in a folder of its own.

A process has a time limit and is ended by the test that began it. The simulator lives in the test's own process, so a
test can look into its world, and change it while a run goes on.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, TypeVar

from engine.config.fleet.fleet_file import load_fleet
from engine.core.desired import AppSpec
from engine.core.identity import parse_app_key
from engine.simulator.scenario.fleet_world import extend_for_fleet
from engine.simulator.scenario.scenario import load_scenario
from engine.simulator.service import app_operations
from engine.simulator.world.faults import FaultKind
from engine.simulator.world.records import app_id
from engine.simulator.world.world import World
from tests import warm

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from engine.simulator.faces.thread_runner import SimulatorThread
    from engine.simulator.world.records import AppId

T = TypeVar("T")

PROCESS_MAX_SECONDS = 180  # a bound on what hangs, and no measure of a busy machine
LOOK_EVERY_SECONDS = 0.02  # between two looks whether a process that writes nothing has ended
DOMAIN_ID = "d-abcd1234efgh"
OTHER_DOMAIN_ID = "d-wxyz9876stuv"
ACCOUNT = "111122223333"
SECRET_KEY = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY00"
ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SESSION_TOKEN = "FwoGZXIvYXdzEJr//////////wEaDCanarySessionToken0123456789abcdef=="

# Nothing in these tests waits for what it does not test: high rates, short delays, apps that start at once.
POLICY = """
[tolerance]
canary = false
failures_max = 1000
failure_share_max = 1.0
[execution]
create_rate = 200
create_rate_max = 200
read_rate = 200
[backoff.ThrottlingException]
initial = "20ms"
max = "100ms"
[backoff.ResourceLimitExceeded]
initial = "50ms"
max = "200ms"
give_up_after = "1s"
[backoff.transient]
initial = "20ms"
max = "100ms"
give_up_after = "20s"
[backoff.capacity]
initial = "20ms"
max = "100ms"
give_up_after = "500ms"
[observe]
first_after = "200ms"
second_after = "200ms"
"""
QUICK = """
schema = 1
[times]
app_pending = 0.05
app_deleting = 0.05
"""


def fleet_text(people: Sequence[str], *, more: str = "", lab: str = 'instance_type = "ml.t3.medium"') -> str:
    """Return a fleet of one team with a JupyterLab space for each of `people`; `more` is put below it."""
    members = ", ".join(f'"{person}"' for person in people)
    return f"""schema = 1
name = "e2e"
[domains.research]
id = "{DOMAIN_ID}"
region = "eu-west-1"
account = "{ACCOUNT}"
[domains.research.teams.vision]
members = [{members}]
spaces = {{ "{{member}}-lab" = {{ apps = ["lab"] }} }}
[apps.lab]
type = "JupyterLab"
{lab}
{more}
"""


def lab_of(person: str) -> str:
    """Return the key of a person's lab."""
    return f"research/space/{person}-lab/JupyterLab/default"


def people(count: int, prefix: str = "u") -> list[str]:
    """Return names."""
    return [f"{prefix}{number:03}" for number in range(count)]


@dataclass(frozen=True)
class Ran:
    """What a process gave, with the log that it wrote."""

    code: int
    out: str
    err: str
    log: str = ""

    @property
    def report(self) -> dict[str, Any]:
        """Return standard output as JSON: it holds the result and nothing else."""
        parsed: dict[str, Any] = json.loads(self.out)
        return parsed

    def events(self, name: str = "") -> list[dict[str, Any]]:
        """Return the events of the log, those of one name or all."""
        lines = [json.loads(line) for line in self.log.splitlines()]
        return [line for line in lines if not name or line["event"] == name]

    def outcomes(self) -> dict[str, str]:
        """Return the outcome of each app of a report."""
        return {app["key"]: app["outcome"] for app in self.report["apps"]}


@dataclass
class Place:
    """A folder with a fleet and a world that it can be applied to."""

    folder: Path
    world: World = field(default_factory=lambda: World(account=ACCOUNT))
    url: str = ""
    simulator: SimulatorThread | None = None
    hasty: bool = True  # whether commands that are forked wait shortly: see `tests.hasty`
    _runs: int = 0

    def write(self, fleet: str, policy: str = POLICY, rules: str = "") -> None:
        """Write the fleet, and make its people and spaces in the world."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "policies").mkdir(exist_ok=True)
        (self.folder / "policies" / "execution.toml").write_text(policy)
        if rules:  # a file that holds nothing would be a finding of every plan
            (self.folder / "policies" / "rules.toml").write_text(rules)
        (self.folder / "fleet.toml").write_text(fleet)
        self.within(lambda world: extend_for_fleet(world, load_fleet(self.folder / "fleet.toml").fleet, time.time()))

    def scenario(self, text: str) -> None:
        """Lay a scenario over the world."""
        path = self.folder / "scenario.toml"
        path.write_text(text)
        self.within(lambda world: load_scenario(path).apply_to(world, time.time()))

    def within(self, work: Callable[[World], T]) -> T:
        """Call `work` with the world between two requests."""
        return work(self.world) if self.simulator is None else self.simulator.run(work)

    def put_app(self, key: str, instance_type: str = "ml.t3.medium", tags: Mapping[str, str] | None = None) -> None:
        """Put an app into the world that no run of ours made."""
        identity = self.identity(key)
        owner = parse_app_key(key).owner

        def put(world: World) -> None:
            domain = world.domains[identity.domain_id]
            spec = AppSpec(instance_type=instance_type or None)
            app_operations.place_app(world, domain, identity, owner, spec, dict(tags or {}), "InService")

        self.within(put)

    def identity(self, key: str) -> AppId:
        """Return the service's identity of a key of the domain `research`."""
        parsed = parse_app_key(key)
        return app_id(DOMAIN_ID, parsed.owner_kind, parsed.owner, parsed.app_type, parsed.app_name)

    def settle(self) -> None:
        """Put every app that is Pending into service, however long it would have taken."""

        def work(world: World) -> None:
            for app in world.apps.values():
                if app.status == "Pending":
                    world.set_app_status(app, "InService")

        self.within(work)

    def status_of(self, key: str) -> str:
        """Return an app's status in the world, or nothing."""

        def look(world: World) -> str:
            found = world.apps.get(self.identity(key))
            return "" if found is None else found.status

        return self.within(look)

    def calls(self) -> dict[str, dict[str, int]]:
        """Count the calls that the service got: operation, then answer."""
        counted: dict[str, dict[str, int]] = self.stats()["calls"]
        return counted

    def only_looked(self) -> bool:
        """Whether the service got calls, and none of them but such as look."""
        names = list(self.calls())
        return bool(names) and all(name.startswith(("Get", "List", "Describe")) for name in names)

    def stats(self) -> dict[str, Any]:
        """Return all that the world counted."""
        return self.within(lambda world: world.stats_json())

    def forget_calls(self) -> None:
        """Begin to count again."""
        self.within(lambda world: world.stats.reset())

    # The command line.

    def environment(self, **more: Any) -> dict[str, str]:
        """Return the variables of a process that reaches the simulator, and nothing of the tester's own."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TMPDIR") if name in os.environ}
        given = {
            **kept,
            "HOME": str(self.folder),
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_SESSION_TOKEN": SESSION_TOKEN,
            "AWS_EC2_METADATA_DISABLED": "true",
            **more,
        }
        return {name: value for name, value in given.items() if value}

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of one run over this fleet, begun in its folder."""
        return [*warm.APPFLEET, "-f", "fleet.toml", *arguments]

    def run(self, *arguments: str, log: bool = True, cold: bool = False, **environment: Any) -> Ran:
        """Run one command to its end; an empty variable is taken out of its environment."""
        with self.start(*arguments, log=log, cold=cold, **environment) as running:
            return running.end()

    @contextmanager
    def start(
        self,
        *arguments: str,
        log: bool = True,
        stdout: int | IO[Any] = subprocess.PIPE,
        stderr: int | IO[Any] = subprocess.PIPE,
        cold: bool = False,
        **environment: Any,
    ) -> Iterator[Running]:
        """Begin one command; it is killed at the end of the block if it still runs.

        `cold`: as an interpreter of its own, and not as a fork of one that has read the modules.
        """
        self._runs += 1
        log_file = self.folder / f"log-{self._runs}.jsonl" if log else None
        logs = [] if log_file is None else ["--log-file", str(log_file)]
        with self.process(*logs, *arguments, stdout=stdout, stderr=stderr, cold=cold, **environment) as process:
            try:
                yield Running(process, log_file)
            finally:
                process.kill()

    def process(
        self,
        *arguments: str,
        stdin: int | IO[Any] = subprocess.DEVNULL,
        stdout: int | IO[Any] = subprocess.PIPE,
        stderr: int | IO[Any] = subprocess.PIPE,
        cold: bool = False,
        **environment: Any,
    ) -> subprocess.Popen[str]:
        """Begin one command over this fleet, in its folder."""
        words = ["-f", "fleet.toml", *arguments]
        env = self.environment(**environment)
        streams: dict[str, Any] = {"stdin": stdin, "stdout": stdout, "stderr": stderr}
        return warm.start(words, cwd=self.folder, env=env, cold=cold, hasty=self.hasty, **streams)

    def apply(self, *arguments: str, **environment: Any) -> Ran:
        """Apply without asking, with a report in JSON."""
        return self.run("apply", "--yes", "--format", "json", *arguments, **environment)


@dataclass
class Running:
    """A process that a test may signal."""

    process: subprocess.Popen[str]
    log_file: Path | None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def log_text(self) -> str:
        """Return what it has logged so far."""
        return self.log_file.read_text() if self.log_file is not None and self.log_file.exists() else ""

    def end(self) -> Ran:
        """Wait for its end."""
        out, err = self.process.communicate(timeout=PROCESS_MAX_SECONDS)
        return Ran(self.process.returncode, out or "", err or "", self.log_text())


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait until something outside this process is so."""
    deadline = time.monotonic() + PROCESS_MAX_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.01)


def read_some(descriptor: int, *, at_most: int = 65_536, is_over: Callable[[], bool] = lambda: False) -> bytes:
    """Return what the next read of a pipe or terminal gets: nothing at its end, or where nothing is left and `is_over`.

    A read that waits by itself would wait for ever for a process that has ended: the test holds the other end as well.
    """
    deadline = time.monotonic() + PROCESS_MAX_SECONDS
    while True:
        was_over = is_over()  # asked before the look, so that the last words of a process are not missed
        if select.select([descriptor], [], [], 0.0 if was_over else LOOK_EVERY_SECONDS)[0]:
            try:
                return os.read(descriptor, at_most)
            except OSError:  # a terminal whose other end is closed
                return b""
        if was_over:
            return b""
        assert time.monotonic() < deadline, "waited in vain for something to read"


def shown(descriptor: int, process: subprocess.Popen[str], text: str = "") -> str:
    """Return what a process writes to a pipe or terminal: up to the piece that has `text`, or all to its end."""
    seen = b""
    while not text or text.encode() not in seen:
        piece = read_some(descriptor, is_over=lambda: process.poll() is not None)
        if not piece:
            assert not text, f"ended with {process.poll()} and without {text!r}: {seen.decode()}"
            break
        seen += piece
    return seen.decode()


def line_of(process: subprocess.Popen[str]) -> str:
    """Return the next line that a process writes to the pipe of its standard output, and leave the others there."""
    assert process.stdout is not None
    line = b""
    while not line.endswith(b"\n"):
        piece = read_some(process.stdout.fileno(), at_most=1, is_over=lambda: process.poll() is not None)
        assert piece, f"ended with {process.poll()} and without a whole line: {line.decode()!r}"
        line += piece
    return line.decode()


def fault(kind: FaultKind | str, operation: str, **more: object) -> str:
    """Return the lines of one fault for a scenario."""
    lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in more.items())
    return f'[[fault]]\nkind = "{FaultKind(kind).value}"\noperation = "{operation}"\n{lines}'
