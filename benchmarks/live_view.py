"""What the live view costs: the CPU of a run of 5,000 apps with it, beside the CPU of its frames and events alone.

The run goes over loopback HTTP at a rate that the service gives, with the view drawn to a terminal of its own. The
view's share is measured inside that run, by the thread's own clock around each event and each frame, and its import.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.harness import INSTANCE_TYPES, write_fleet

if TYPE_CHECKING:
    from collections.abc import Callable

APPS = 5_000
RATES = (40.0, 1_000.0)
SHARE_MAX_PERCENT = 5.0


POLICY = """[execution]
create_rate = {rate}
create_rate_max = {rate}
concurrency = 64
read_rate = 50.0
"""


class Meter:
    """CPU seconds of what it wraps, by the clock of the thread."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.calls = 0

    def wrapped(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return `function`, measured."""

        def measured(*arguments: Any) -> Any:
            began = time.thread_time()
            try:
                return function(*arguments)
            finally:
                self.seconds += time.thread_time() - began
                self.calls += 1

        return measured


def run(rate: float) -> dict[str, float]:
    """Make the apps once, and give the CPU seconds of the run, of the view's events, and of its frames."""
    from engine.adapters.log.line_writer import LineWriter
    from engine.app.apply import apply
    from engine.app.options import AppOptions
    from engine.config.fleet.fleet_file import load_fleet
    from engine.simulator.faces.thread_runner import SimulatorThread
    from engine.simulator.scenario.fleet_world import world_for_fleet

    events, frames = Meter(), Meter()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        write_fleet(home, APPS, POLICY.format(rate=rate), types=INSTANCE_TYPES)
        world = world_for_fleet(load_fleet(home / "fleet.toml").fleet, time.time())
        began = time.thread_time()
        from engine.adapters.screen.live_view import LiveView

        imported = time.thread_time() - began
        screen, terminal = os.openpty()
        reader = threading.Thread(target=_read_all, args=(screen,), daemon=True)
        reader.start()
        writer = LineWriter(terminal)
        view = LiveView(
            lambda text: writer.set_status(text.encode()), clock=time.monotonic, size=lambda: (120, 40), colour=True,
        )  # fmt: skip
        emit, tick = events.wrapped(view.emit), frames.wrapped(view.tick)

        def confirm(plan: Any) -> bool:
            view.expect(plan)
            return True

        async def work(url: str) -> Any:
            loop = asyncio.get_running_loop()

            def again() -> None:
                tick()
                loop.call_later(0.5, again)

            loop.call_later(0.5, again)
            options = AppOptions(home / "fleet.toml", endpoint_url=url, run_id="bench")
            return await apply(options, emit, confirm)

        with SimulatorThread(world) as simulator:
            os.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
            began, wall = time.thread_time(), time.monotonic()
            report = asyncio.run(work(simulator.url))
            took, lasted = time.thread_time() - began, time.monotonic() - wall
        writer.close()
        assert report is not None
        assert len(report.apps) == APPS
        assert report.exit_code == 0, report.summary
    return {
        "run": took, "wall": lasted, "events": events.seconds, "frames": frames.seconds, "import": imported,
        "count": float(events.calls), "drawn": float(frames.calls),
    }  # fmt: skip


def _read_all(fd: int) -> None:
    try:
        while os.read(fd, 65_536):
            pass
    except OSError:
        return


def main() -> int:
    """Measure, and tell whether the view stays under its share."""
    print("| create_rate | run, wall s | run, CPU s | events | frames | view, CPU s (events, frames, import) | share |")
    print("|---|---|---|---|---|---|---|")
    good = True
    for rate in RATES:
        got = run(rate)
        view = got["events"] + got["frames"] + got["import"]
        share = 100 * view / got["run"]
        good &= share < SHARE_MAX_PERCENT
        parts = f"{got['events']:.3f}, {got['frames']:.3f}, {got['import']:.3f}"
        print(
            f"| {rate:g} | {got['wall']:.1f} | {got['run']:.2f} | {got['count']:.0f} | {got['drawn']:.0f} "
            f"| {view:.3f} ({parts}) | {share:.1f} % |"
        )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
