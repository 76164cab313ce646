"""HTTP/1.1 for the simulator, by hand: one connection, its bounds, and nothing about what is asked.

It knows keep-alive, pipelining and Content-Length. Everything else is answered with an error and closed: chunked
bodies, oversized heads and bodies, what is not HTTP. Requests of one connection are answered one after the other.
Not here: routes (`http_face`).
"""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from engine.core.limits import SIMULATED_BODY_MAX_BYTES, SIMULATED_HEADER_MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

_REASONS: Final = {
    200: b"OK",
    400: b"Bad Request",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    411: b"Length Required",
    413: b"Content Too Large",
    431: b"Request Header Fields Too Large",
    500: b"Internal Server Error",
    503: b"Service Unavailable",
}
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


def read_request(buffer: bytearray) -> tuple[Request, bool] | None:
    """Remove one complete request from `buffer`; return it and whether the connection stays, or None.

    Raises WireError for what is not a request within the bounds.
    """
    if buffer and not (buffer[:1].isalpha() or buffer[:1] in b"\r\n"):  # TLS begins so, and waits for an answer
        raise WireError(400, "the first line is not an HTTP/1.1 request line; this is plain http, not https")
    end = buffer.find(_HEAD_END, 0, SIMULATED_HEADER_MAX_BYTES + len(_HEAD_END))
    if end < 0:
        if len(buffer) > SIMULATED_HEADER_MAX_BYTES:
            raise WireError(431, f"the head is longer than {SIMULATED_HEADER_MAX_BYTES} bytes")
        return None
    lines = bytes(buffer[:end]).split(b"\r\n")
    parts = lines[0].split(b" ")
    if len(parts) != 3 or parts[2] not in _VERSIONS or not parts[0].isalpha():
        raise WireError(400, "the first line is not an HTTP/1.1 request line")
    headers: dict[bytes, bytes] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon or not name or name != name.strip():
            raise WireError(400, "a header line is not NAME: VALUE")
        headers[name.lower()] = value.strip()
    length = _body_length(parts[0], headers)
    start = end + len(_HEAD_END)
    if len(buffer) < start + length:
        return None
    body = bytes(buffer[start : start + length])
    del buffer[: start + length]
    stays = parts[2] == b"HTTP/1.1" and headers.get(b"connection", b"").lower() != b"close"
    return Request(parts[0], parts[1], headers, body), stays


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


class Connection(asyncio.Protocol):
    """One client's connection. `handler` answers a request at once; the answer's `delay` is waited for here."""

    def __init__(
        self,
        handler: Callable[[Request], Reply],
        on_open: Callable[[Connection], bool],
        on_close: Callable[[Connection], None],
        on_answered: Callable[[], None],
    ) -> None:
        self._handler = handler
        self._on_open = on_open
        self._on_close = on_close
        self._on_answered = on_answered
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._waiting = False  # a request is being answered; the next ones stay in the buffer
        self._writable = True
        self._eof = False
        self.active_at = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for an answer on it."""
        return not self._waiting

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept the connection, or close it when there are too many."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - create_server gives no other
        self._transport = transport
        self.active_at = asyncio.get_running_loop().time()
        if not self._on_open(self):
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what was under way."""
        del exc
        self._transport = None
        self._buffer.clear()
        self._stop_waiting()
        self._on_close(self)

    def data_received(self, data: bytes) -> None:
        """Buffer bytes, and answer each complete request."""
        self.active_at = asyncio.get_running_loop().time()
        self._buffer += data
        if self._waiting or not self._writable:
            self._hold_back()
        else:
            self._answer_all()

    def eof_received(self) -> bool:
        """Answer what was asked before the client closed its side, then close."""
        self._eof = True
        if not self._waiting and self._writable:
            self._close()
        return True

    def pause_writing(self) -> None:
        """Answer nothing more while the client does not read."""
        self._writable = False

    def resume_writing(self) -> None:
        """Go on answering."""
        self._writable = True
        if not self._waiting:
            self._answer_all()

    def abort(self) -> None:
        """Reset the connection: the client sees ECONNRESET, not an end."""
        if self._transport is not None:
            connected: socket.socket | None = self._transport.get_extra_info("socket")
            if connected is not None:
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT_AT_ALL)
            self._transport.abort()

    def end(self) -> None:
        """Close the connection where all that was asked is answered and sent, else reset it."""
        if self._transport is None or self._waiting or self._transport.get_write_buffer_size():
            self.abort()
        else:
            self._transport.close()

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _hold_back(self) -> None:
        if self._transport is not None and len(self._buffer) > SIMULATED_BODY_MAX_BYTES:
            self._transport.pause_reading()

    def _answer_all(self) -> None:
        while self._transport is not None and not self._waiting and self._writable:
            try:
                taken = read_request(self._buffer)
            except WireError as error:
                self._buffer.clear()
                body = b'{"__type":"MalformedHttpRequestException","message":"%b"}' % error.text.encode()
                self._transport.write(write_reply(Reply(body, error.status), close=True))
                self._close()
                return
            if taken is None:
                break
            request, stays = taken
            self._waiting = True
            reply = self._handler(request)
            if reply.stall:
                return
            if reply.delay > 0:
                self._timer = asyncio.get_running_loop().call_later(reply.delay, self._send_late, reply, stays)
                return
            self._send(reply, stays)
        if self._transport is not None and not self._waiting:
            self._transport.resume_reading()
            if self._eof:
                self._close()

    def _send_late(self, reply: Reply, stays: bool) -> None:
        self._timer = None
        self._send(reply, stays)
        if stays:
            self._answer_all()

    def _send(self, reply: Reply, stays: bool) -> None:
        self._stop_waiting()
        if reply.reset:
            self.abort()
            return
        if self._transport is None:
            return
        self._transport.write(write_reply(reply, close=not stays))
        if not stays:
            self._close()

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            self._waiting = False
            self._on_answered()
