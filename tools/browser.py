"""A headless Chromium for checks and pictures, spoken to by its DevTools protocol.

Not a test runner: it opens one page, tells what happened there, and takes pictures. Everything is bounded, and the
browser ends with its context.
"""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import aiohttp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
FLAGS: Final = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--remote-debugging-port=0", "about:blank",
)  # fmt: skip
START_MAX_SECONDS: Final = 60.0
ANSWER_MAX_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.05


def find_chromium() -> str | None:
    """Return the path of a Chromium, or None."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Page:
    """One page. `requests` and `complaints` are what it asked for and what its console said since `open`."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0
        self._loaded = asyncio.Event()
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.requests: list[str] = []
        self.complaints: list[str] = []

    async def listen(self) -> None:
        """Take in what the browser says, until it ends."""
        async for message in self._socket:
            said = json.loads(message.data)
            if "id" in said:
                self._answers.pop(said["id"]).set_result(said)
            else:
                self._note(said["method"], said["params"])

    def _note(self, method: str, params: dict[str, Any]) -> None:
        if method == "Page.loadEventFired":
            self._loaded.set()
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(params["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled":
            self.complaints.append(json.dumps(params["args"]))
        elif method == "Log.entryAdded":
            self.complaints.append(params["entry"]["text"])
        elif method == "Page.javascriptDialogOpening":
            self.complaints.append(f"a dialog: {params['message']}")

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Make one call of the protocol and give its result."""
        self._number += 1
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[self._number] = answer
        await self._socket.send_json({"id": self._number, "method": method, "params": params})
        said = await asyncio.wait_for(answer, ANSWER_MAX_SECONDS)
        if "error" in said:
            raise RuntimeError(f"{method}: {said['error']}")
        result: dict[str, Any] = said["result"]
        return result

    async def open(self, address: str, *, scripted: bool = True) -> float:
        """Open an address; give the seconds until it was loaded and, where scripts may run, drawn."""
        self.requests.clear()
        self.complaints.clear()
        self._loaded.clear()
        began = time.monotonic()
        await self.call("Page.navigate", url=address)
        await asyncio.wait_for(self._loaded.wait(), ANSWER_MAX_SECONDS)
        if scripted:
            await self.value("new Promise(done => requestAnimationFrame(() => setTimeout(() => done(1), 0)))")
        return time.monotonic() - began

    async def value(self, expression: str) -> Any:
        """Evaluate an expression in the page, waiting for a promise."""
        said = await self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in said:
            raise RuntimeError(f"{expression}: {said['exceptionDetails']}")
        return said["result"].get("value")

    async def look(self, *, width: int, height: int, dark: bool = False, sharp: float = 1.0) -> None:
        """Set the size of the window, in pixels, and the colour scheme."""
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=sharp,
            mobile=width < 720,
        )
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        await self.call("Emulation.setEmulatedMedia", features=scheme)

    async def picture(self) -> bytes:
        """Return what is seen, as PNG."""
        return base64.b64decode((await self.call("Page.captureScreenshot", format="png"))["data"])


@asynccontextmanager
async def browser(chromium: str) -> AsyncIterator[Page]:
    """Start a browser with a profile of its own and give its page; it is ended afterwards, whatever happened."""
    with tempfile.TemporaryDirectory(prefix="appfleet-browser-", ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            chromium, f"--user-data-dir={profile}", *FLAGS,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            async with asyncio.timeout(START_MAX_SECONDS):
                address = await _page_address(Path(profile) / "DevToolsActivePort")
            async with aiohttp.ClientSession() as session, session.ws_connect(address, max_msg_size=0) as socket:
                page = Page(socket)
                listening = asyncio.create_task(page.listen())
                for domain in ("Page", "Runtime", "Log", "Network"):
                    await page.call(f"{domain}.enable")
                yield page
                listening.cancel()
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


def _port(port_file: Path) -> str:
    """Return the port that the browser has told, or empty."""
    try:
        return (port_file.read_text().split() or [""])[0]
    except FileNotFoundError:
        return ""


async def _page_address(port_file: Path) -> str:
    """Wait until the browser has told its port, and give the address of its page."""
    while not (port := _port(port_file)):  # noqa: ASYNC110 - another process writes it
        await asyncio.sleep(POLL_SECONDS)
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                pages = [one for one in await answer.json() if one["type"] == "page"]
            if pages:
                return str(pages[0]["webSocketDebuggerUrl"])
            await asyncio.sleep(POLL_SECONDS)
