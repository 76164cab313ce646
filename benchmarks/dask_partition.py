"""A worker that is cut off from the scheduler and not from the service: no two workers in one account, its rate kept.

    python -m benchmarks.dask_partition     (as root, on Linux, with `ip netns`; it says so where that is missing)

Two workers of a Dask scheduler: one in a network namespace, joined to the scheduler by one cable and to the service and
the store by another. Once it has made some apps the first cable is pulled. The worker goes on with its shard; the
scheduler misses it after 30 s, and the other worker is given the shard. Everything goes over TLS with certificates that
are made for this, and the times of the lease are those of `two_machines`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from benchmarks.dask_kills import write_fleet
from benchmarks.harness import environment, simulator, workshop
from benchmarks.limits import TIMES
from benchmarks.two_machines import MACHINE, SHORTER
from tests.object_server import make_bucket, object_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.harness import Simulator

SPACE: Final = f"appfleet-{os.getpid()}"
CABLE: Final = "10.213.77.{}"  # to the scheduler
OTHER: Final = "10.213.78.{}"  # to the service
PORT: Final = 18_786
RELAY: Final = "relay"
BUCKET: Final = "states"
RATE: Final = 3
APPS: Final = 240
CUT_AFTER: Final = 20
START_MAX_SECONDS: Final = 60
RUN_MAX_SECONDS: Final = 900
POLICY: Final = f"""[execution]
create_rate = {RATE}
create_rate_max = {RATE}
read_rate = 50
[observe]
first_after = "1s"
second_after = "1s"
[tolerance]
canary = false
"""
SCENARIO: Final = TIMES + "[request_limits]\nListApps = { rate = 0 }\n"

if __name__ == "__mp_main__" or os.environ.get("APPFLEET_BENCH_WORKER"):  # in a worker, which preloads this module
    for bound, seconds in SHORTER.items():
        patch(bound, seconds).start()


def main() -> None:
    if os.geteuid() or shutil.which("ip") is None or _ip("netns", "add", SPACE, check=False):
        print("not run: it needs root and network namespaces (ip netns add)")
        return
    try:
        with workshop() as folder, object_server() as store:
            make_bucket(store, BUCKET)
            write_fleet(folder, 1, APPS, POLICY)
            with simulator(folder, SCENARIO) as service:
                _measure(folder, service, store)
    finally:
        _ip("netns", "del", SPACE, check=False)
        _ip("link", "del", "af-cable", check=False)
        _ip("link", "del", "af-other", check=False)


def _measure(folder: Path, service: Simulator, store: str) -> None:
    _lay_cable("af-cable", CABLE)
    _lay_cable("af-other", OTHER)
    _ip("-n", SPACE, "link", "set", "lo", "up")
    variables = {**environment(service.url), "AWS_ENDPOINT_URL_S3": store, **_certificates(folder)}
    with ExitStack() as stack:
        for url in (service.url, store):
            stack.enter_context(_reachable(url))
        address = f"tls://{CABLE.format(1)}:{PORT}"
        stack.enter_context(
            _started(
                ["scheduler", "--host", f"tls://{CABLE.format(1)}", "--port", str(PORT), "--no-dashboard"], variables
            )
        )
        # The one in the namespace is alone at first, so the shard is its own.
        options = ["--nthreads", "1", "--no-dashboard", "--local-directory", str(folder)]
        options += ["--preload", "benchmarks.dask_partition"]
        alone = ["worker", address, "--host", CABLE.format(2), *options]
        stack.enter_context(_started(alone, variables, ["ip", "netns", "exec", SPACE]))
        run = stack.enter_context(_run(folder, address, variables))
        _until(lambda: _created(service) >= CUT_AFTER, run, folder)
        stack.enter_context(_started(["worker", address, "--host", CABLE.format(1), *options], variables))
        _ip("link", "set", "af-cable", "down")
        cut_at, made = time.monotonic(), _created(service)
        print(f"the cable is pulled after {made} of {APPS} apps", flush=True)
        code = run.wait(RUN_MAX_SECONDS)
        took = time.monotonic() - cut_at
    events = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    counted = service.stats()
    answers = counted["calls"]["CreateApp"]
    lost = [event["message"] for event in events if event["event"] == "workers.lost"]
    waited = [event for event in events if event["event"] == "lane.awaited"]
    seconds = counted["create_last_at"] - counted["create_first_at"]
    print(
        f"exit code {code} {took:.0f} s later; CreateApp {answers}; refused: "
        f"{sum(answers.values()) - answers['ok']}; for a live key {counted['create_for_live_key']}; "
        f"{answers['ok'] / seconds:.1f} a second of {RATE}; workers lost: {lost}; waited for the lane: {len(waited)}"
    )
    assert code == 0
    assert answers == {"ok": APPS}, answers
    assert counted["create_for_live_key"] == 0
    assert lost


def _lay_cable(name: str, addresses: str) -> None:
    _ip("link", "add", name, "type", "veth", "peer", "name", f"{name}-b", "netns", SPACE)
    _ip("addr", "add", f"{addresses.format(1)}/24", "dev", name)
    _ip("link", "set", name, "up")
    _ip("-n", SPACE, "addr", "add", f"{addresses.format(2)}/24", "dev", f"{name}-b")
    _ip("-n", SPACE, "link", "set", f"{name}-b", "up")


def _ip(*words: str, check: bool = True) -> int:
    return subprocess.run(["ip", *words], check=check, stderr=subprocess.DEVNULL).returncode


@contextmanager
def _reachable(url: str) -> Iterator[None]:
    """Let a server on loopback be reached from the namespace, at its own address there."""
    port = url.rpartition(":")[2]
    inside = ["ip", "netns", "exec", SPACE, sys.executable, "-m", "benchmarks.dask_partition", RELAY]
    outside = [sys.executable, "-m", "benchmarks.dask_partition", RELAY]
    with (
        _process([*outside, OTHER.format(1), port, "127.0.0.1", port]),
        _process([*inside, "127.0.0.1", port, OTHER.format(1), port]),
    ):
        yield


async def _relay(host: str, port: int, to_host: str, to_port: int) -> None:
    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection(to_host, to_port)
            await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    server = await asyncio.start_server(serve, host, port)
    await server.serve_forever()


def _certificates(folder: Path) -> dict[str, str]:
    """Make certificates; return the variables by which Dask finds them."""
    from distributed import Security

    made: Any = Security.temporary()
    files = {"CA_FILE": made.tls_ca_file}
    for role in ("CLIENT", "SCHEDULER", "WORKER"):
        files[f"{role}__CERT"] = getattr(made, f"tls_{role.lower()}_cert")
        files[f"{role}__KEY"] = getattr(made, f"tls_{role.lower()}_key")
    found: dict[str, str] = {}
    for name, text in files.items():
        path = folder / f"{name.lower()}.pem"
        path.write_text(text)
        path.chmod(0o600)
        found[f"DASK_DISTRIBUTED__COMM__TLS__{name}"] = str(path)
    return found


@contextmanager
def _started(words: list[str], variables: dict[str, str], before: list[str] | None = None) -> Iterator[None]:
    command = [*(before or []), sys.executable, "-m", "distributed.cli.dask_" + words[0], *words[1:]]
    with _process(command, {**variables, "APPFLEET_BENCH_WORKER": "1"}):
        yield


@contextmanager
def _process(command: list[str], variables: dict[str, str] | None = None) -> Iterator[None]:
    with subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()


@contextmanager
def _run(folder: Path, address: str, variables: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    words = [
        "-f",
        str(folder / "fleet.toml"),
        "--state-dir",
        f"s3://{BUCKET}/cut",
        "--log-file",
        str(folder / "log.jsonl"),
    ]
    words += ["apply", "--yes", "--scheduler", address, "--workers", "1"]
    command = [sys.executable, "-m", "benchmarks.dask_partition", MACHINE, *words]
    with (
        (folder / "said.txt").open("ab") as said,
        subprocess.Popen(command, env=variables, stdout=said, stderr=said) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def _created(service: Simulator) -> int:
    found: int = service.stats()["calls"].get("CreateApp", {}).get("ok", 0)
    return found


def _until(holds: Any, run: subprocess.Popen[bytes], folder: Path) -> None:
    give_up_at = time.monotonic() + START_MAX_SECONDS
    while not holds():
        assert run.poll() is None, (folder / "said.txt").read_text()
        assert time.monotonic() < give_up_at
        time.sleep(0.1)


if __name__ == "__main__":
    if sys.argv[1:2] == [RELAY]:
        asyncio.run(_relay(sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5])))
    if sys.argv[1:2] == [MACHINE]:
        from engine.cli.main import main as appfleet

        sys.exit(appfleet(sys.argv[2:]))
    os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
    main()
