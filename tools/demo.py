"""`make demo`: the example fleet, created in a simulated SageMaker over HTTP, run again, and repaired.

Everything here is what a user would type; the simulator stands where AWS would. It ends with 0 only if what it promises
happened: a throttled call, a full quota that opened again, an idle second run, and two lost apps created again.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "demo"  # git ignores build/
APPFLEET = [sys.executable, "-m", "engine"]
COMMAND_MAX_SECONDS = 300
GONE_POLLS_MAX_COUNT = 100
GONE_POLL_SECONDS = 0.2
LOST = (("alice-lab", "JupyterLab"), ("kofi-code", "CodeEditor"))


def main() -> int:
    with simulator() as url:
        prepare(FOLDER)
        os.chdir(FOLDER)
        os.environ.update(
            AWS_ENDPOINT_URL=url,
            AWS_ACCESS_KEY_ID="test",
            AWS_SECRET_ACCESS_KEY="test",
            APPFLEET_LOG_FILE=str(FOLDER / "log.jsonl"),
        )
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "APPFLEET_STATE_DIR", "APPFLEET_FILE"):
            os.environ.pop(name, None)
        say("What would be done? Nothing is called but a listing.")
        run("plan")
        say(
            "Do it. The service throttles, and one quota is full until another team's apps are gone.\n"
            "   It starts an app within seconds; the forecast assumes the minutes that AWS takes."
        )
        run("apply", "--yes")
        first = stats(url)
        expect(first["calls"]["CreateApp"].get("ThrottlingException", 0) >= 1, "no call was throttled")
        expect("bucket.reopened" in log_events(FOLDER), "no full quota opened again")
        say("The same command the next night: one listing, nothing to do.")
        reset(url)
        run("apply", "--yes")
        calls = {name: sum(answers.values()) for name, answers in stats(url)["calls"].items()}
        expect(calls == {"GetCallerIdentity": 1, "ListApps": 1}, f"an idle run called {calls}")
        say(f"Somebody deletes {' and '.join(space for space, _ in LOST)}. The night after that they are back.")
        asyncio.run(lose(url))
        reset(url)
        run("apply", "--yes")
        expect(stats(url)["calls"]["CreateApp"] == {"ok": 2}, "the two lost apps were not created again")
        os.chdir(ROOT)
    say(f"Look around: .venv/bin/appfleet -f {FOLDER.relative_to(ROOT)}/fleet.toml history")
    say("That was the main job. For your own account, see 'Your first real account' in README.md.")
    return 0


def prepare(folder: Path) -> None:
    """Copy the example fleet to a folder that stays, so that every path and command that is printed is there later."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "fleet.toml", folder)
    for name in ("teams", "policies"):
        shutil.copytree(ROOT / name, folder / name)


@contextmanager
def simulator() -> Iterator[str]:
    """Serve the demo's world, and end it afterwards."""
    command = [*APPFLEET, "simulate", "--for-fleet", "--scenario", "scenarios/demo.toml"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            url = next((word.rstrip(".") for word in line.split() if word.startswith("http://")), "")
            if not url:
                sys.exit("the simulator did not start; see its error above")
            yield url
        finally:
            process.terminate()
            process.wait(30)


def say(text: str) -> None:
    print(f"\n── {text}\n", flush=True)


def run(*arguments: str) -> None:
    """Run one command as a user would, and stop at the first that fails."""
    print(f"$ appfleet {' '.join(arguments)}", flush=True)
    code = subprocess.run([*APPFLEET, *arguments], check=False, timeout=COMMAND_MAX_SECONDS).returncode
    expect(code == 0, f"appfleet {' '.join(arguments)} ended with {code}")


def expect(holds: bool, otherwise: str) -> None:
    if not holds:
        sys.exit(f"the demo did not do what it promises: {otherwise}")


def stats(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{url}/_appfleet/stats", timeout=10) as answer:
        counted: dict[str, Any] = json.load(answer)
    return counted


def reset(url: str) -> None:
    urllib.request.urlopen(urllib.request.Request(f"{url}/_appfleet/reset-stats", data=b""), timeout=10).close()


def log_events(state: Path) -> set[str]:
    with (state / "log.jsonl").open() as lines:
        return {json.loads(line)["event"] for line in lines}


async def lose(url: str) -> None:
    """Delete two apps, as somebody with a console would, and wait until they are gone."""
    import aioboto3

    async with aioboto3.Session().client("sagemaker", region_name="eu-west-1", endpoint_url=url) as client:
        for space, app_type in LOST:
            app = {"DomainId": "d-abcd1234efgh", "SpaceName": space, "AppType": app_type, "AppName": "default"}
            await client.delete_app(**app)
            for _ in range(GONE_POLLS_MAX_COUNT):
                if (await client.describe_app(**app))["Status"] == "Deleted":
                    break
                await asyncio.sleep(GONE_POLL_SECONDS)
            else:
                sys.exit(f"{space} was not gone in time")


if __name__ == "__main__":
    sys.exit(main())
