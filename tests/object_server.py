"""An S3 on loopback for tests: a process of its own, which is ended with the block that it is open for."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    command = [sys.executable, "-m", "ministack"]
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
