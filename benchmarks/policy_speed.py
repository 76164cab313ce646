"""How long admission takes: app rules over many apps, a team rule, a fleet rule, and what importing costs.

    python benchmarks/policy_speed.py [--apps 100000]

Prints one line a figure, with its bound. Times are CPU seconds: nothing here waits for anything.
"""

from __future__ import annotations

import argparse
import gc
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime

from engine.core.desired import AppSpec, DesiredApp, DesiredDomain, Source
from engine.core.identity import AppKey
from engine.policy.admission import compile_admission
from engine.policy.rules import Enforcement, Expression, Rule, Scope

TODAY = datetime(2026, 11, 24, tzinfo=UTC).date()
HERE = Source("policies/bench.toml", 1)
DOMAIN = DesiredDomain("research", "d-abcd1234efgh", "eu-west-1", HERE, "111122223333")
PRICES = (("", "ml.t3.medium", 0.05), ("", "ml.m5.large", 0.115), ("eu-west-1", "ml.g5.xlarge", 1.4))
TEAM_APPS = 1_000

APP_CHECKS = (
    ('app_type == "JupyterLab"', 'instance_type in ["ml.t3.medium", "ml.m5.large", "ml.g5.xlarge"]'),
    ("true", '"cost-center" in tags && tags["cost-center"] == "4711"'),
    ('instance_family.startsWith("g")', 'expires != ""'),
    ("true", "priced && hourly_usd < 5.0"),
    ('app_type == "JupyterServer"', 'instance_type == "system"'),
    ("true", 'owner.matches("^[a-z][a-z0-9-]*$")'),
    ('team != ""', 'tags["team"] == team'),
    ("true", 'region == "eu-west-1"'),
    ("true", "fallback.all(t, t != instance_type)"),
    ('sharing == "Private"', 'owner_kind == "space"'),
)


def app(number: int) -> DesiredApp:
    team = f"team-{number % 50}"
    return DesiredApp(
        key=AppKey("research", "space", f"user-{number}-lab", "JupyterLab", "default"),
        spec=AppSpec(
            instance_type="ml.m5.large" if number % 3 else "ml.t3.medium",
            tags=(("cost-center", "4711"), ("team", team)),
        ),
        source=HERE,
        team=team,
        sharing="Private",
    )


def rule(name: str, match: str, check: str, scope: Scope = Scope.APP) -> Rule:
    return Rule(name, Enforcement.MANDATORY, HERE, scope, "", Expression(match, HERE), Expression(check, HERE))


def figure(what: str, value: float, unit: str, bound: float) -> None:
    verdict = "ok" if value <= bound else "MISSED"
    print(f"{what:<58} {value:>9.2f} {unit:<3} (at most {bound:g}) {verdict}")


def app_rules(apps: list[DesiredApp], what: str, own: str) -> None:
    """Admit the apps; `own` is what each check asks besides, so that no verdict can be remembered from another app."""
    rules = [rule(f"r{n}", match, f"{own}({check})") for n, (match, check) in enumerate(APP_CHECKS)]
    admission = compile_admission(rules, prices=PRICES)
    began = time.process_time()
    admitted = admission.admit(apps, [DOMAIN], TODAY)
    seconds = time.process_time() - began
    if admitted.findings:
        raise SystemExit(f"a rule denied: {admitted.findings[0]}")
    count = len(apps) * len(APP_CHECKS)
    figure(f"{len(apps):,} apps x {len(APP_CHECKS)} app rules, {what}", seconds, "s", 10)
    figure("  one rule asked about one app (match and check)", seconds / count * 1e6, "us", 8)


def group_rules(apps: list[DesiredApp]) -> None:
    team = [app for app in apps if app.team == "team-0"][:TEAM_APPS]
    admission = compile_admission(
        [rule("team", "true", 'apps.filter(a, a.instance_type == "ml.m5.large").size() <= count', Scope.TEAM)],
        prices=PRICES,
    )
    began = time.process_time()
    admitted = admission.admit(team, [DOMAIN], TODAY)
    figure(f"one team rule over each of {len(team):,} apps", (time.process_time() - began) * 1e3, "ms", 50)
    if admitted.findings:
        raise SystemExit(f"a rule denied: {admitted.findings[0]}")
    check = 'by_instance_type["ml.m5.large"] <= count && hourly_usd < 1000000.0'
    admission = compile_admission([rule("fleet", "true", check, Scope.FLEET)], prices=PRICES)
    began = time.process_time()
    admitted = admission.admit(apps, [DOMAIN], TODAY)
    figure(f"one fleet rule over {len(apps):,} apps, by counts", time.process_time() - began, "s", 1)
    if admitted.findings:
        raise SystemExit(f"a rule denied: {admitted.findings[0]}")


def imports() -> None:
    code = "import sys, engine.policy.admission; print(any('cel' in m.partition('.')[0] for m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    if done.stdout.strip() != "False":
        raise SystemExit("importing engine.policy.admission loads the expression language")
    began = time.process_time()
    compile_admission([rule("one", "true", "priced")])
    print(f"{'loading the expression language with the first rule':<58} {(time.process_time() - began) * 1e3:>9.2f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--apps", type=int, default=100_000)
    imports()
    apps = [app(number) for number in range(parser.parse_args().apps)]
    gc.freeze()
    app_rules(apps, "as teams are", "")
    app_rules(apps, "no two alike", 'owner != "" && ')
    group_rules(apps)
    print(f"{'peak memory':<58} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:>9.0f} MB")


if __name__ == "__main__":
    main()
