"""HTTP/1.1 for the simulator over asyncio's streams: one connection, its bounds, and nothing about what is asked.

It knows keep-alive, pipelining and Content-Length. Everything else is answered with an error and closed: chunked
bodies, oversized heads and bodies, what is not HTTP. Requests of one connection are answered one after the other.
Not here: routes (`http_face`), and a web framework (ARCHITECTURE.md says why).
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from engine.core.limits import SIMULATED_BODY_MAX_BYTES, SIMULATED_HEADER_MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

_REASONS: Final = {status.value: status.phrase.encode() for status in HTTPStatus}
_HEAD_END: Final = b"\r\n\r\n"
_LINGER_NOT_AT_ALL: Final = struct.pack("ii", 1, 0)
_VERSIONS: Final = frozenset({b"HTTP/1.1", b"HTTP/1.0"})
JSON: Final = b"application/x-amz-json-1.1"


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `headers` has lower-cased names; of a name that comes twice the last one holds."""

    method: bytes
    path: bytes
    headers: dict[bytes, bytes]
    body: bytes
    stays: bool


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back. `delay` is how long it takes, in seconds; `reset` and `stall` send nothing at all."""

    body: bytes = b""
    status: int = 200
    content_type: bytes = JSON
    request_id: str = ""
    delay: float = 0.0
    reset: bool = False
    stall: bool = False


class WireError(Exception):
    """A request that cannot be read. The connection is closed after the answer."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def write_reply(reply: Reply, *, close: bool) -> bytes:
    """Return the bytes of an answer."""
    return b"HTTP/1.1 %d %b\r\nContent-Type: %b\r\nContent-Length: %d\r\nx-amzn-RequestId: %b\r\n%b\r\n%b" % (
        reply.status,
        _REASONS.get(reply.status, b"Error"),
        reply.content_type,
        len(reply.body),
        reply.request_id.encode("ascii", "replace"),
        b"Connection: close\r\n" if close else b"",
        reply.body,
    )


async def read_request(reader: asyncio.StreamReader) -> Request:
    """Read one request. Raises WireError for what is not one within the bounds, EOFError or OSError at the end."""
    head = await reader.readexactly(1)
    if not (head.isalpha() or head in b"\r\n"):  # TLS begins so, and waits for an answer
        raise WireError(400, "the first line is not an HTTP/1.1 request line; this is plain http, not https")
    try:
        head += await reader.readuntil(_HEAD_END)
    except asyncio.LimitOverrunError:
        raise WireError(431, f"the head is longer than {SIMULATED_HEADER_MAX_BYTES} bytes") from None
    lines = head[: -len(_HEAD_END)].split(b"\r\n")
    parts = lines[0].split(b" ")
    if len(parts) != 3 or parts[2] not in _VERSIONS or not parts[0].isalpha():
        raise WireError(400, "the first line is not an HTTP/1.1 request line")
    headers: dict[bytes, bytes] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon or not name or name != name.strip():
            raise WireError(400, "a header line is not NAME: VALUE")
        headers[name.lower()] = value.strip()
    body = await reader.readexactly(_body_length(parts[0], headers))
    stays = parts[2] == b"HTTP/1.1" and headers.get(b"connection", b"").lower() != b"close"
    return Request(parts[0], parts[1], headers, body, stays)


def _body_length(method: bytes, headers: dict[bytes, bytes]) -> int:
    if b"transfer-encoding" in headers:
        raise WireError(411, "a body needs a Content-Length; chunked bodies are not taken")
    text = headers.get(b"content-length")
    if text is None:
        if method == b"POST":
            raise WireError(411, "a POST needs a Content-Length")
        return 0
    if not text.isdigit() or len(text) > 15:
        raise WireError(400, "Content-Length is not a number")
    if int(text) > SIMULATED_BODY_MAX_BYTES:
        raise WireError(413, f"the body is longer than {SIMULATED_BODY_MAX_BYTES} bytes")
    return int(text)


class Connection:
    """One client's connection. `handler` answers a request at once; the answer's `delay` is waited for here."""

    def __init__(
        self,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        handler: Callable[[Request], Reply],
        on_answered: Callable[[], None],
    ) -> None:
        self._reader, self._writer = streams
        self._handler = handler
        self._on_answered = on_answered
        self._lost = asyncio.ensure_future(self._wait_until_lost())
        self.is_idle = True  # nobody waits for an answer on it
        self.active_at = asyncio.get_running_loop().time()

    async def converse(self) -> None:
        """Answer one request after the other until the connection is lost."""
        with suppress(EOFError, OSError):
            while await self._answer_next():
                await self._writer.drain()  # nothing more while the client does not read
        self._writer.close()
        await self._lost

    def abort(self) -> None:
        """Reset the connection: the client sees ECONNRESET, not an end."""
        connected: socket.socket = self._writer.get_extra_info("socket")
        with suppress(OSError):  # closed already
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT_AT_ALL)
        self._writer.transport.abort()

    def end(self) -> None:
        """Close the connection where all that was asked is answered and sent, else reset it."""
        if self.is_idle and not self._writer.transport.get_write_buffer_size():
            self._writer.close()
        else:
            self.abort()

    async def _answer_next(self) -> bool:
        """Whether another request may follow."""
        try:
            request = await read_request(self._reader)
        except WireError as error:
            body = b'{"__type":"MalformedHttpRequestException","message":"%b"}' % error.text.encode()
            self._writer.write(write_reply(Reply(body, error.status), close=True))
            return False
        if self._writer.is_closing():
            return False  # reset before the world saw the call
        self.active_at = asyncio.get_running_loop().time()
        self.is_idle = False
        try:
            reply = self._handler(request)
            if reply.stall or reply.delay > 0:
                await asyncio.wait((self._lost,), timeout=None if reply.stall else reply.delay)
            if reply.reset:
                self.abort()
            elif not self._lost.done():
                self._writer.write(write_reply(reply, close=not request.stays))
        finally:
            self.is_idle = True
            self._on_answered()
        return request.stays and not reply.reset

    async def _wait_until_lost(self) -> None:
        with suppress(OSError):
            await self._writer.wait_closed()
