"""What a created app costs in CPU, beside a bare aioboto3 loop that makes the same calls; and what waiting costs.

Start-up is left out of both: the difference between a large run and a small one is what is told. The bare loop makes
the same CreateApp calls, with the same tags, at the same number in flight, and the same listings of the domain: as many
pages of ListApps, ListSpaces and ListUserProfiles as the service counted in our run.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import textwrap
import time

from benchmarks.harness import AT_ONCE, DOMAIN_ID, REGION, appfleet, environment, simulator, told, workshop, write_fleet
from benchmarks.limits import UNLIMITED

RUNS = 3
LARGE, SMALL = 10_000, 500
LISTINGS = ("ListApps", "ListSpaces", "ListUserProfiles")
POLICY = """[execution]
create_rate = 1000
create_rate_max = 1000
read_rate = 5
concurrency = 32
[safety]
create_max = 20000
"""
SCENARIO = UNLIMITED.replace("answer = [0.02, 0.06]", "answer = 0") + (
    "ListSpaces = { rate = 0 }\nListUserProfiles = { rate = 0 }\n"
)
BARE = textwrap.dedent("""
    import asyncio, json, resource, sys
    import aioboto3
    from botocore.config import Config
    count, pages, url = int(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3]
    async def main():
        config = Config(max_pool_connections=36, retries={"total_max_attempts": 1})
        async with aioboto3.Session().client("sagemaker", region_name="%s", endpoint_url=url, config=config) as client:
            names = iter(range(count))
            async def work():
                for n in names:
                    await client.create_app(DomainId="%s", SpaceName=f"u00-{n:05}-lab", AppType="JupyterLab",
                        AppName="default", ResourceSpec={"InstanceType": "ml.t3.medium"},
                        Tags=[{"Key": "appfleet:fleet", "Value": "bench"}])
            before = resource.getrusage(resource.RUSAGE_SELF)
            await asyncio.gather(*(work() for _ in range(32)))
            lists = {"ListApps": client.list_apps, "ListSpaces": client.list_spaces,
                "ListUserProfiles": client.list_user_profiles}
            for operation, rounds in pages.items():
                token = None
                for _ in range(rounds):
                    more = {"NextToken": token} if token else {}
                    page = await lists[operation](DomainIdEquals="%s", MaxResults=100, SortBy="CreationTime",
                        SortOrder="Ascending", **more)
                    token = page.get("NextToken")
            after = resource.getrusage(resource.RUSAGE_SELF)
            print(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    asyncio.run(main())
""") % (REGION, DOMAIN_ID, DOMAIN_ID)


def main() -> None:
    ratios: list[float] = []
    for _ in range(RUNS):
        ours_large, pages = _ours(LARGE)
        ours_small, few_pages = _ours(SMALL)
        bare = (_bare(LARGE, pages) - _bare(SMALL, few_pages)) / (LARGE - SMALL)
        ours = (ours_large - ours_small) / (LARGE - SMALL)
        ratios.append(ours / bare)
        print(
            f"  a created app: {ours * 1e6:.0f} µs, bare {bare * 1e6:.0f} µs, {ratios[-1]:.2f} × "
            f"({', '.join(f'{count} {operation}' for operation, count in pages.items())})",
            flush=True,
        )
    print(f"CPU of a created app beside a bare aioboto3 loop: {told(ratios, 2)} ×")
    print(
        f"waiting at 40/s: {told([share * 100 for share in _waiting()], 1)} % of a core, the 40 calls a second included"
    )
    print(f"waiting for a quota alone: {told([share * 100 for share in _parked()], 1)} % of a core")


def _ours(apps: int) -> tuple[float, dict[str, int]]:
    """Return the CPU seconds of one run of ours, and the pages that it listed, by operation."""
    with workshop() as folder:
        write_fleet(folder, apps, POLICY + AT_ONCE)
        with simulator(folder, SCENARIO) as service:
            ran = appfleet(folder, service.url, "apply", "--yes")
            assert ran.report["summary"] == {"created": apps}, ran.report["summary"]
            calls = service.stats()["calls"]
            return ran.cpu_s, {operation: calls[operation]["ok"] for operation in LISTINGS if operation in calls}


def _bare(apps: int, pages: dict[str, int]) -> float:
    with workshop() as folder:
        write_fleet(folder, apps, POLICY + AT_ONCE)
        with simulator(folder, SCENARIO) as service:
            command = [sys.executable, "-c", BARE, str(apps), json.dumps(pages), service.url]
            done = subprocess.run(command, env=environment(service.url), capture_output=True, text=True, check=True)
            assert service.stats()["calls"]["CreateApp"] == {"ok": apps}
            return float(done.stdout)


def _waiting() -> list[float]:
    """Return the share of a core that pacing at 40/s takes, the calls' own cost taken away."""
    program = textwrap.dedent("""
        import asyncio, resource
        from engine.adapters.pace import ThrottlePace
        async def main():
            pace = ThrottlePace(40.0)
            before = resource.getrusage(resource.RUSAGE_SELF)
            began = asyncio.get_running_loop().time()
            for _ in range(400):
                await pace.take()
            took = asyncio.get_running_loop().time() - began
            after = resource.getrusage(resource.RUSAGE_SELF)
            print((after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / took)
        asyncio.run(main())
    """)
    return [
        float(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout)
        for _ in range(RUNS)
    ]


def _parked() -> list[float]:
    """Return the share of a core that a run takes while everything it has waits for a full quota."""
    shares: list[float] = []
    policy = POLICY + AT_ONCE + '[backoff.ResourceLimitExceeded]\ninitial = "1s"\nmax = "60s"\ngive_up_after = "20s"\n'
    full = SCENARIO + '[[quota]]\napp_type = "JupyterLab"\ninstance_type = "ml.t3.medium"\nvalue = 1\n'
    for _ in range(RUNS):
        spent: list[tuple[float, float]] = []
        for give_up in ("1s", "20s"):
            with workshop() as folder:
                write_fleet(folder, SMALL, policy.replace('"20s"', f'"{give_up}"'))
                with simulator(folder, full) as service:
                    ran = appfleet(folder, service.url, "apply", "--yes")
                    spent.append((ran.cpu_s, ran.wall_s))
        shares.append((spent[1][0] - spent[0][0]) / (spent[1][1] - spent[0][1]))
    return shares


if __name__ == "__main__":
    began = time.monotonic()
    main()
    print(f"({time.monotonic() - began:.0f} s; median of {statistics.median([RUNS]):.0f})")
