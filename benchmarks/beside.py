"""The same work beside what one would write instead: boto3 in threads, and a loop of the AWS CLI."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import textwrap
import time

from benchmarks.harness import DOMAIN_ID, REGION, Simulator, appfleet, environment, simulator, workshop, write_fleet
from benchmarks.limits import TIMES, policy, request_limit

APPS = 500
CLI_APPS = 20
LIMIT = TIMES + request_limit(40, 10)
BOTO = textwrap.dedent("""
    import json, sys
    from concurrent.futures import ThreadPoolExecutor
    import boto3
    from botocore.config import Config
    count, threads, mode, url = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    config = Config(retries={"mode": mode, "total_max_attempts": 10}, max_pool_connections=threads)
    client = boto3.client("sagemaker", region_name="%s", endpoint_url=url, config=config)
    def make(n):
        try:
            client.create_app(DomainId="%s", SpaceName=f"u00-{n:05}-lab", AppType="JupyterLab", AppName="default",
                ResourceSpec={"InstanceType": "ml.t3.medium"})
        except Exception as error:
            return type(error).__name__
        return "ok"
    with ThreadPoolExecutor(threads) as pool:
        answers = list(pool.map(make, range(count)))
    print(json.dumps({answer: answers.count(answer) for answer in set(answers)}))
""") % (REGION, DOMAIN_ID)


def main() -> None:
    print("| what | makespan s | throttled calls | lost | sent for a live key | CPU ms a call |")
    print("|---|---|---|---|---|---|")
    _appfleet()
    for threads in (8, 32):
        for mode in ("standard", "adaptive"):
            _boto3(threads, mode)
    _aws_cli()


def _appfleet() -> None:
    for title, rates in (("appfleet, limit known", (40.0, 40.0)), ("appfleet, limit unknown (from 2/s)", (2.0, 200.0))):
        with workshop() as folder:
            write_fleet(folder, APPS, policy(*rates))
            with simulator(folder, LIMIT) as service:
                ran = appfleet(folder, service.url, "apply", "--yes")
                _row(title, service, APPS, ran.cpu_s)


def _boto3(threads: int, mode: str) -> None:
    with workshop() as folder:
        write_fleet(folder, APPS, policy(40, 40))
        with simulator(folder, LIMIT) as service:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            command = [sys.executable, "-c", BOTO, str(APPS), str(threads), mode, service.url]
            subprocess.run(command, env=environment(service.url), check=True, capture_output=True, timeout=900)
            _row(f"boto3, {threads} threads, {mode} retries", service, APPS, _cpu_since(before))


def _aws_cli() -> None:
    """Measure 20 apps one after the other, and scale the time to the same number; the scaled figures are marked."""
    aws = shutil.which("aws")
    if aws is None:
        print("| a loop of the AWS CLI | not measured: no `aws` on PATH | | | | |")
        return
    with workshop() as folder:
        write_fleet(folder, APPS, policy(40, 40))
        with simulator(folder, LIMIT) as service:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            began = time.monotonic()
            for number in range(CLI_APPS):
                command = [
                    aws, "sagemaker", "create-app", "--domain-id", DOMAIN_ID, "--space-name", f"u00-{number:05}-lab",
                    "--app-type", "JupyterLab", "--app-name", "default",
                    "--resource-spec", json.dumps({"InstanceType": "ml.t3.medium"}),
                ]  # fmt: skip
                subprocess.run(command, env=environment(service.url), check=True, capture_output=True, timeout=60)
            took = time.monotonic() - began
            answers = service.stats()["calls"]["CreateApp"]
            cpu_ms = _cpu_since(before) / CLI_APPS * 1000
            throttled = answers.get("ThrottlingException", 0)
            print(
                f"| a loop of the AWS CLI ({CLI_APPS} apps, time scaled to {APPS}) | {took / CLI_APPS * APPS:.0f} | "
                f"{throttled} | {CLI_APPS - answers['ok']} | {service.stats()['create_for_live_key']} | {cpu_ms:.0f} |"
            )


def _cpu_since(before: resource.struct_rusage) -> float:
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _row(title: str, service: Simulator, apps: int, cpu_s: float) -> None:
    counted = service.stats()
    answers = counted["calls"]["CreateApp"]
    sent = sum(answers.values())
    throttled = answers.get("ThrottlingException", 0)
    print(
        f"| {title} | {service.makespan_s():.1f} | {throttled} ({throttled / sent:.1%}) | {apps - answers['ok']} | "
        f"{counted['create_for_live_key']} | {cpu_s / sent * 1000:.2f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
