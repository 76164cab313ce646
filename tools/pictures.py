"""`make pictures`: the pictures of the documents, one function each, drawn by headless Chromium into docs/img/.

Each is of a real run against the simulator, not made up.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import io
import os
import pty
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path
from typing import TYPE_CHECKING, Final

from markdown_it import MarkdownIt
from rich.console import Console
from rich.text import Text

from tools.browser import browser, find_chromium

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT: Final = Path(__file__).resolve().parent.parent
IMAGES: Final = ROOT / "docs" / "img"
COMMAND_MAX_SECONDS: Final = 600
COLUMNS: Final = 110
PICTURE_WIDTH: Final = 1_120
PHONE_WIDTH: Final = 390
LIVE_COLUMNS: Final = 80  # of a terminal that nobody has made wider
# As forges draw a comment: their fonts and tables, and nothing that hides a fault of the Markdown.
COMMENT_STYLE: Final = (
    "body{font:14px/1.5 system-ui,sans-serif;margin:24px;color:#1f2328}h3{font-size:1.25em}"
    "code{background:#eff1f3;border-radius:6px;padding:.2em .4em;font:85% ui-monospace,monospace}"
    "table{border-collapse:collapse;margin:0 0 16px}td,th{border:1px solid #d1d9e0;padding:6px 13px}"
    "tr:nth-child(2n){background:#f6f8fa}pre{background:#f6f8fa;padding:12px;border-radius:6px}"
)
COPIED: Final = ("fleet.toml", "teams", "policies", "scenarios")


def main() -> int:
    chromium = find_chromium()
    if chromium is None:
        sys.exit("pictures needs chromium. Install it with: apt-get install chromium")
    IMAGES.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[1:] or PICTURES:
        with tempfile.TemporaryDirectory(prefix="appfleet-pictures-") as folder:
            target = IMAGES / f"{name}.png"
            target.write_bytes(PICTURES[name](chromium, Path(folder)))
            print(f"{target.relative_to(ROOT)}: {target.stat().st_size:,} bytes")
    return 0


def report(chromium: str, folder: Path) -> bytes:
    """Show the report of the example fleet's first night under the demo's scenario."""
    return asyncio.run(shot(chromium, _report(folder), width=1120, height=1480))


def report_dark(chromium: str, folder: Path) -> bytes:
    """Show the same to a reader who has set the dark look."""
    return asyncio.run(shot(chromium, _report(folder), width=1120, height=1000, dark=True))


def report_phone(chromium: str, folder: Path) -> bytes:
    """Show the same on a phone."""
    return asyncio.run(shot(chromium, _report(folder), width=PHONE_WIDTH, height=1200))


def site(chromium: str, folder: Path) -> bytes:
    """Show the page over all runs."""
    return asyncio.run(shot(chromium, _site(folder), width=1120, height=900))


def site_phone(chromium: str, folder: Path) -> bytes:
    """Show the same on a phone, in the dark look."""
    return asyncio.run(shot(chromium, _site(folder), width=PHONE_WIDTH, height=1200, dark=True))


def history(chromium: str, folder: Path) -> bytes:
    """Show four runs, one of each team and one that finds all as declared."""
    _nights(folder)
    return _terminal_picture(chromium, folder, f"$ appfleet history\n{on_a_terminal(folder, 'history')}")


def status(chromium: str, folder: Path) -> bytes:
    """Show a fleet of which one team is not made yet, and some apps are missing."""
    _example(folder)
    for team in ("vision", "platform"):
        appfleet(folder, "apply", "--yes", "--simulate", "--team", team)
    return _terminal_picture(
        chromium, folder, f"$ appfleet status --simulate\n{on_a_terminal(folder, 'status', '--simulate')}"
    )


def plan(chromium: str, folder: Path) -> bytes:
    """Show a plan with apps to make, and with apps to replace since the file names a larger machine now."""
    _example(folder)
    appfleet(folder, "apply", "--yes", "--simulate", "--team", "vision")
    for file in (folder / "fleet.toml", *(folder / "teams").glob("*.toml")):
        file.write_text(file.read_text().replace('"ml.g5.xlarge"', '"ml.g5.2xlarge"'))
    only = [word for space in ("kofi-*", "lena-*", "rehearsal") for word in ("--space", space)]
    shown = on_a_terminal(folder, "plan", "--simulate", "--replace", *only)
    typed = f"$ appfleet plan --simulate --replace \\\n    {shlex.join(only)}"
    return _terminal_picture(chromium, folder, f"{typed}\n{shown}")


def live(chromium: str, folder: Path) -> bytes:
    """Show the live view of the demo while a bucket is parked."""
    _example(folder)
    shown = on_a_terminal(folder, "apply", "--yes", "--simulate=scenarios/demo.toml", columns=LIVE_COLUMNS)
    frames = [re.sub(r"\r(?:\x1b\[\d+A)?$", "", part) for part in shown.split("\x1b[J")]
    parked = [frame for frame in frames if "parked" in frame and "calls/s" in frame and "Plan:" not in frame]
    if not parked:
        sys.exit("the demo drew no frame with a parked bucket")
    picked = f"$ appfleet apply --yes\n{parked[len(parked) // 2]}"
    return _terminal_picture(chromium, folder, picked, columns=LIVE_COLUMNS)


def plan_markdown(chromium: str, folder: Path) -> bytes:
    """Show a plan as a forge renders it in a comment."""
    _example(folder)
    appfleet(folder, "apply", "--yes", "--simulate", "--team", "vision")
    for file in (folder / "fleet.toml", *(folder / "teams").glob("*.toml")):
        file.write_text(file.read_text().replace('"ml.g5.xlarge"', '"ml.g5.2xlarge"'))
    only = [word for name in ("kofi-*", "lena-*", "rehearsal") for word in ("--space", name)]
    written = appfleet(folder, "plan", "--simulate", "--replace", *only, "--format", "markdown")
    rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render(written)
    page = folder / "plan.html"
    page.write_text(f"<!doctype html><meta charset=utf-8><style>{COMMENT_STYLE}</style><body>{rendered}")
    return asyncio.run(shot(chromium, page.as_uri(), width=980, height=1090))


def on_a_terminal(folder: Path, *arguments: str, columns: int = COLUMNS) -> str:
    """Run one command on a terminal of its own, and give what it drew."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 60, columns, 0, 0))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "APPFLEET_", "NO_"))}
    process = subprocess.Popen(
        [sys.executable, "-m", "engine", *arguments],
        cwd=folder, env={**kept, "TERM": "xterm-256color"}, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    drawn = bytearray()
    with contextlib.suppress(OSError):  # so does a terminal end whose last process has gone
        while chunk := os.read(ours, 65_536):
            drawn += chunk
    os.close(ours)
    process.wait(COMMAND_MAX_SECONDS)
    return drawn.decode().replace("\r\n", "\n")


def _terminal_picture(chromium: str, folder: Path, text: str, *, columns: int = COLUMNS) -> bytes:
    """Draw what a terminal showed, colours and all."""
    console = Console(record=True, width=columns, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(text.rstrip("\n") + "\n "), soft_wrap=True)  # the last line would be cut at its foot
    svg = console.export_svg(title="appfleet")
    found = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    if found is None:
        sys.exit("the picture has no size")
    height = round(PICTURE_WIDTH * float(found[2]) / float(found[1]))
    (folder / "picture.svg").write_text(re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL))
    page = folder / "picture.html"
    page.write_text(f'<body style="margin:0"><img src="picture.svg" style="width:{PICTURE_WIDTH}px;display:block">')
    return asyncio.run(shot(chromium, page.as_uri(), width=PICTURE_WIDTH, height=height))


def _report(folder: Path) -> str:
    _example(folder)
    appfleet(folder, "apply", "--yes", "--simulate=scenarios/demo.toml")
    appfleet(folder, "report", "--out", "report.html")
    return (folder / "report.html").as_uri()


def _site(folder: Path) -> str:
    _nights(folder)
    appfleet(folder, "report", "--site", "site")
    return (folder / "site" / "index.html").as_uri()


def _nights(folder: Path) -> None:
    _example(folder)
    for only in (("--team", "vision"), ("--team", "platform"), ("--team", "forecasting"), ()):
        appfleet(folder, "apply", "--yes", "--simulate", *only)


def _example(folder: Path) -> None:
    for name in COPIED:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)


def appfleet(folder: Path, *arguments: str) -> str:
    """Run one command as a user would and return its result; its standard error is shown when it fails."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "APPFLEET_"))}
    ran = subprocess.run(
        [sys.executable, "-m", "engine", *arguments],
        cwd=folder, env=kept, capture_output=True, text=True, check=False, timeout=COMMAND_MAX_SECONDS,
    )  # fmt: skip
    if ran.returncode != 0:
        sys.exit(f"appfleet {' '.join(arguments)} ended with {ran.returncode}:\n{ran.stderr}")
    return ran.stdout


async def shot(chromium: str, address: str, *, width: int, height: int, dark: bool = False) -> bytes:
    """Take a picture of a page, twice as sharp as it is wide."""
    async with browser(chromium) as page:
        await page.look(width=width, height=height, dark=dark, sharp=2.0)
        await page.open(address)
        return await page.picture()


PICTURES: Final[dict[str, Callable[[str, Path], bytes]]] = {
    "report": report,
    "report-dark": report_dark,
    "report-phone": report_phone,
    "plan": plan,
    "plan-markdown": plan_markdown,
    "status": status,
    "history": history,
    "live": live,
    "site": site,
    "site-phone": site_phone,
}

if __name__ == "__main__":
    sys.exit(main())
