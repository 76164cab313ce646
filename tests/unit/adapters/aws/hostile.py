"""A tiny HTTP server on loopback that answers whatever a test wants, and remembers what reached it."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.adapters.aws.credentials import GateTimes
from engine.adapters.aws.sessions import Clouds
from engine.core.desired import AppSpec, DesiredDomain, Source
from engine.ports.cloud import AppName
from tests.loopback import listening

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

    from engine.adapters.aws.sagemaker import SageMakerCloud

DOMAIN_ID = "d-abcd1234efgh"
APP = AppName(DOMAIN_ID, "space", "alice-lab", "JupyterLab", "default")
ARN = "arn:aws:sagemaker:eu-west-1:111122223333:app/d-abcd1234efgh/alice-lab/jupyterlab/default"
SPEC = AppSpec(instance_type="ml.t3.medium")
ROW = (
    b'{"DomainId":"d-abcd1234efgh","SpaceName":"alice-lab","AppType":"JupyterLab","AppName":"default",'
    b'"Status":"InService","CreationTime":1700000000.5,"ResourceSpec":{"InstanceType":"ml.t3.medium"}}'
)
FAST_TIMES = GateTimes(attempt_max=30.0, refresh_max=0.05, retry_pause=0.01, look_every=0.0, failure_kept=30.0)


@dataclass(slots=True)
class Request:
    """What arrived, header names in lower case."""

    headers: dict[str, str]
    body: bytes
    writer: asyncio.StreamWriter
    target: str = ""

    @property
    def operation(self) -> str:
        """The last part of X-Amz-Target; empty for other protocols."""
        return self.headers.get("x-amz-target", "").rpartition(".")[2]


def http(body: bytes, status: int = 200, *headers: str) -> bytes:
    """Return a whole response."""
    lines = [f"HTTP/1.1 {status} Some Words", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def error(code: str, message: str = "", status: int = 400, *headers: str) -> bytes:
    """Return an error as the JSON protocol writes it."""
    return http(f'{{"__type":"{code}","message":"{message}"}}'.encode(), status, *headers)


@dataclass(slots=True)
class Hostile:
    """`answer` is a response, or a coroutine function that makes one or writes by itself and gives None."""

    answer: Any = b""
    requests: list[Request] = field(default_factory=list)
    url: str = ""
    port: int = 0
    connections: int = 0
    more: asyncio.Event = field(default_factory=asyncio.Event)

    async def arrived(self, count: int) -> None:
        """Wait until so many requests have arrived."""
        while len(self.requests) < count:
            self.more.clear()
            await self.more.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection until it ends."""
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                pairs = [line.split(": ", 1) for line in head[1:] if line]
                headers = {name.lower(): value for name, value in pairs}
                if headers.get("expect") == "100-continue":  # as a client of S3 has it before it sends a body
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                request = Request(headers, body, writer, head[0].split(" ")[1])
                self.requests.append(request)
                self.more.set()
                answer = await self.answer(request) if callable(self.answer) else self.answer
                if answer is None:
                    return
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return


@asynccontextmanager
async def hostile(
    answer: Any = b"", *, context: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Hostile]:
    """Serve on a free loopback port until the block is left; over TLS with a `context`, under the name `host`."""
    state = Hostile(answer)
    async with listening(state.serve, context) as state.port:
        state.url = f"{'http' if context is None else 'https'}://{host}:{state.port}"
        yield state


def desired(**more: Any) -> DesiredDomain:
    """Return a domain to connect to."""
    return DesiredDomain("research", DOMAIN_ID, "eu-west-1", Source("fleet.toml", 7), **more)


@asynccontextmanager
async def cloud_at(url: str, **options: Any) -> AsyncIterator[SageMakerCloud]:
    """Connect to an endpoint with the credentials of the environment."""
    async with AsyncExitStack() as stack:
        clouds = await stack.enter_async_context(Clouds(endpoint_url=url, gate_times=FAST_TIMES, **options))
        yield await clouds.connect(desired())


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with RST in place of FIN."""
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
