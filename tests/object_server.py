"""S3 on loopback for tests, one that keeps conditions and one that does not: processes that end with their blocks."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

START_MAX_SECONDS: Final = 120.0
END_MAX_SECONDS: Final = 30.0
HOST: Final = "127.0.0.1"


@contextmanager
def object_server() -> Iterator[str]:
    """Yield the URL of an empty store that keeps the conditions of writes."""
    port = _free_port()
    environment = {
        "PATH": os.environ.get("PATH", ""), "HOME": "/nonexistent",
        "BIND_HOST": HOST, "GATEWAY_PORT": str(port), "LOG_LEVEL": "ERROR",
    }  # fmt: skip
    with _running([sys.executable, "-m", "ministack"], environment, port) as url:
        yield url


@contextmanager
def lying_server(folder: Path) -> Iterator[str]:
    """Yield the URL of a store, kept in `folder`, that takes every write whatever its condition, and says 200."""
    port = _free_port()
    command = [
        str(Path(sys.executable).parent / "rclone"), "serve", "s3", "--addr", f"{HOST}:{port}",
        "--auth-key", "test,testtesttest", "--config", os.devnull, str(folder),
    ]  # fmt: skip
    with _running(command, {"PATH": os.environ.get("PATH", ""), "HOME": "/nonexistent"}, port) as url:
        yield url


@contextmanager
def _running(command: Sequence[str], environment: Mapping[str, str], port: int) -> Iterator[str]:
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            _await(process, port)
            yield f"http://{HOST}:{port}"
        finally:
            process.terminate()
            try:
                process.wait(END_MAX_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind((HOST, 0))
        port: int = one.getsockname()[1]
        return port


def _await(process: subprocess.Popen[bytes], port: int) -> None:
    give_up_at = time.monotonic() + START_MAX_SECONDS
    while time.monotonic() < give_up_at:
        assert process.poll() is None, "the object server ended as it was started"
        try:
            socket.create_connection((HOST, port), timeout=1.0).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError("the object server did not start")


def make_bucket(url: str, name: str) -> None:
    """Make a bucket; the server asks nobody who he is."""
    request = urllib.request.Request(f"{url}/{name}", method="PUT")  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=END_MAX_SECONDS):  # noqa: S310
        pass


@contextmanager
def in_front_of(url: str, refuses: Callable[[str, str], bool]) -> Iterator[str]:
    """Yield the URL of a store that refuses each request of which `refuses`, asked by method and path, says so."""

    class Front(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if refuses(self.command, self.path):
                self._send(503, {}, b"<Error><Code>SlowDown</Code><Message>Reduce your request rate</Message></Error>")
                return
            headers = {name: value for name, value in self.headers.items() if name.lower() not in {"host", "expect"}}
            request = urllib.request.Request(url + self.path, data or None, headers, method=self.command)  # noqa: S310
            try:
                with urllib.request.urlopen(request, timeout=END_MAX_SECONDS) as answer:  # noqa: S310 - loopback
                    self._send(answer.status, dict(answer.headers), answer.read())
            except urllib.error.HTTPError as error:
                self._send(error.code, dict(error.headers), error.read())

        do_GET = do_PUT = do_HEAD = _answer  # noqa: N815 - the names are the library's

        def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response_only(status)
            kept = {name: value for name, value in headers.items() if name.lower() not in _OF_A_CONNECTION}
            for name, value in {**kept, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer((HOST, 0), Front) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join(END_MAX_SECONDS)


_OF_A_CONNECTION: Final = frozenset({"content-length", "transfer-encoding", "connection"})
