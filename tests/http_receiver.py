"""An HTTP server on loopback that takes what is posted to it, keeps it, and can refuse or hang. A thread of its own."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

HANG_MAX_SECONDS: Final = 60.0


@dataclass
class HttpReceiver:
    """`statuses` are those of the next answers, then 200; `hangs`: nothing is answered until the block is left.

    `reason` stands beside each status where it is given.
    """

    statuses: list[int] = field(default_factory=list)
    hangs: bool = False
    reason: str | None = None
    body: bytes = b"{}"
    content_type: str = "application/json"
    port: int = 0
    posts: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def host(self) -> str:
        """The address, without a scheme."""
        return f"127.0.0.1:{self.port}"


@contextmanager
def http_receiver(**given: Any) -> Iterator[HttpReceiver]:
    """Yield one that listens."""
    receiver = HttpReceiver(**given)

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            receiver.posts.append((self.path, dict(self.headers), self.rfile.read(length)))
            receiver.arrived.set()
            if receiver.hangs:
                receiver.over.wait(HANG_MAX_SECONDS)
                return
            self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200, receiver.reason)
            self.send_header("Content-Type", receiver.content_type)
            self.send_header("Content-Length", str(len(receiver.body)))
            self.end_headers()
            self.wfile.write(receiver.body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        receiver.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            receiver.over.set()
            server.shutdown()
            thread.join()
