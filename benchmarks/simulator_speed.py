"""How many CreateApp calls a second the simulator answers over loopback HTTP, on one core.

The client is another process, with raw pipelined sockets, so that what is measured is the server. Each call makes a
new app in a space of its own; requests are checked against the service model, as always. Run it with
`python benchmarks/simulator_speed.py`.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import time

from engine.core.desired import AppSpec
from engine.ports.cloud import AppName
from engine.simulator.faces.http_face import serve
from engine.simulator.faces.memory_face import MemoryCloud
from engine.simulator.service.owner_operations import add_domain, create_profile, create_space
from engine.simulator.world.world import World

CALLS = 10_000
ROUNDS = 3
CONNECTIONS = 8
PIPELINED = 16
REGION = "eu-west-1"
ACCOUNT = "111122223333"


def make_world(now: float) -> World:
    world = World(account=ACCOUNT)
    world.quotas.apps_per_bucket = world.quotas.running_apps = 10 * CALLS
    world.advance(now)
    domain = add_domain(world, "d-bench", REGION, ACCOUNT)
    create_profile(world, domain, "alice", at_once=True)
    for number in range(CALLS):
        create_space(
            world,
            domain,
            f"space-{number}",
            owner="alice",
            sharing="Private",
            settings={"AppType": "JupyterLab"},
            at_once=True,
        )
    return world


async def serve_until_stopped() -> None:
    server = await serve(make_world(time.time()), "127.0.0.1", 0, time.time)
    print(server.url, flush=True)
    await server.stopped.wait()
    await server.close()


def request(target: str, body: dict[str, object]) -> bytes:
    data = json.dumps(body).encode()
    scope = f"test/20261124/{REGION}/sagemaker/aws4_request"
    head = (
        "POST / HTTP/1.1",
        "Host: 127.0.0.1",
        f"X-Amz-Target: {target}",
        "Content-Type: application/x-amz-json-1.1",
        "User-Agent: bench",
        "X-Amz-Date: 20261124T010000Z",
        f"Authorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={'0' * 64}",
        f"Content-Length: {len(data)}",
    )
    return "\r\n".join((*head, "", "")).encode() + data


def create(number: int) -> bytes:
    return request(
        "SageMaker.CreateApp",
        {
            "DomainId": "d-bench",
            "SpaceName": f"space-{number}",
            "AppType": "JupyterLab",
            "AppName": "default",
            "ResourceSpec": {"InstanceType": "ml.t3.medium"},
            "Tags": [{"Key": "appfleet:fleet", "Value": "bench"}, {"Key": "team", "Value": "forecasting"}],
        },
    )


def ask(host: str, port: int, data: bytes) -> bytes:
    with socket.create_connection((host, port)) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        parts = []
        while part := connection.recv(1 << 16):
            parts.append(part)
    return b"".join(parts)


def one_round() -> float:
    server = subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        host, _, port = server.stdout.readline().strip().removeprefix("http://").partition(":")
        where = host, int(port)
        connections = [socket.create_connection(where) for _ in range(CONNECTIONS)]
        batches = [
            b"".join(create(number) for number in range(start, start + PIPELINED))
            for start in range(0, CALLS, PIPELINED)
        ]
        begun = time.perf_counter()
        for start in range(0, len(batches), CONNECTIONS):
            here = list(zip(connections, batches[start : start + CONNECTIONS], strict=False))
            for connection, batch in here:
                connection.sendall(batch)
            for connection, _ in here:
                wait_for_answers(connection)
        seconds = time.perf_counter() - begun
        for connection in connections:
            connection.close()
        stats = ask(*where, b"GET /_appfleet/stats HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        calls = json.loads(stats.partition(b"\r\n\r\n")[2])["calls"]["CreateApp"]
        if calls != {"ok": CALLS}:
            raise SystemExit(f"not every call was accepted: {calls}")
        ask(*where, b"POST /_appfleet/shutdown HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n")
        server.wait(10)
    finally:
        server.kill()
        server.wait()
    return CALLS / seconds


def wait_for_answers(connection: socket.socket) -> None:
    seen = b""
    while seen.count(b'"AppArn"') < PIPELINED:
        part = connection.recv(1 << 16)
        if not part:
            raise SystemExit("the server closed a connection")
        seen += part


def in_memory() -> tuple[float, float]:
    """Return CreateApp calls a second without HTTP, and ListApps pages a second over 10,000 apps."""
    world = make_world(0.0)
    cloud = MemoryCloud(world, lambda: 0.0, region=REGION)
    spec = AppSpec(instance_type="ml.t3.medium")
    tags = (("appfleet:fleet", "bench"), ("team", "forecasting"))

    async def run() -> tuple[float, float]:
        begun = time.perf_counter()
        for number in range(CALLS):
            await cloud.create_app(AppName("d-bench", "space", f"space-{number}", "JupyterLab", "default"), spec, tags)
        created = CALLS / (time.perf_counter() - begun)
        begun, pages, token = time.perf_counter(), 0, ""
        while True:
            page = await cloud.list_apps("d-bench", token=token)
            pages, token = pages + 1, page.next_token
            if not token:
                return created, pages / (time.perf_counter() - begun)

    return asyncio.run(run())


def main() -> None:
    print(
        f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} cores, {CALLS} calls a round"
    )
    rates = [one_round() for _ in range(ROUNDS)]
    shown = ", ".join(f"{rate:,.0f}" for rate in rates)
    print(f"CreateApp over HTTP: {statistics.median(rates):,.0f} calls/s (median of {ROUNDS}: {shown})")
    created, pages = in_memory()
    print(f"CreateApp in memory: {created:,.0f} calls/s; ListApps of {CALLS} apps: {pages:,.0f} pages/s")


if __name__ == "__main__":
    if "--serve" in sys.argv:
        asyncio.run(serve_until_stopped())
    else:
        main()
