"""The places that the data are made of, and the commands that are run in them: see `make_data`."""

from __future__ import annotations

import signal
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Final

from engine.config.fleet.fleet_file import load_fleet
from engine.simulator.scenario.fleet_world import extend_for_fleet
from engine.simulator.service import owner_operations
from tests.compat.stored import STATE, Step
from tests.e2e.harness import ACCOUNT, DOMAIN_ID, POLICY, QUICK, fault, until

if TYPE_CHECKING:
    from engine.simulator.world.world import World
    from tests.e2e.harness import Place

LONG_AGO: Final = 1_500_000_000.0  # when the apps were made that the place begins with: fingerprints hold it
OURS: Final = {"appfleet:fleet": "night"}
THEIRS: Final = {"appfleet:fleet": "day"}
QUICK_ALL: Final = (
    QUICK + "profile_pending = 0.05\nspace_pending = 0.05\nprofile_deleting = 0.05\nspace_deleting = 0.05\n"
)

FLEET: Final = f"""schema = 1
name = "night"
include = ["teams/*.toml"]
[defaults.tags]
cost = "ml"
[domains.research]
id = "{DOMAIN_ID}"
region = "eu-west-1"
account = "{ACCOUNT}"
[domains.research.teams.vision]
members = ["ada", "bo", "cleo", "dan"]
spaces = {{ "{{member}}-lab" = {{ apps = ["lab"] }} }}
[domains.research.teams.speech]
members = ["eve", "fay"]
user_apps = ["canvas"]
spaces = {{ "{{member}}-lab" = {{ apps = ["once"] }}, "{{member}}-code" = {{ apps = ["editor"] }} }}
[apps.lab]
type = "JupyterLab"
instance_type = "ml.t3.medium"
[apps.once]
extends = "lab"
mode = "once"
[apps.editor]
type = "CodeEditor"
instance_type = "ml.g5.xlarge"
fallback = ["ml.g4dn.xlarge"]
[apps.canvas]
type = "Canvas"
"""
TEAM: Final = """[domains.research.teams.robots]
members = ["gus"]
spaces = { "{member}-lab" = { apps = ["lab"] } }
"""
PRICES: Final = '[prices]\n"ml.t3.medium" = 0.05\n"ml.g5.xlarge" = 1.4\n'
SAFETY: Final = "[safety]\ndestroy_max = 3\ndestroy_share_max = 1.0\n"
RULES: Final = """
[[rule]]
id = "small-labs"
enforcement = "advisory"
check = 'app_type != "CodeEditor" || instance_type == "ml.t3.medium"'
message = "{instance_type} is large"
"""


def _lay_out(place: Place, policy: str) -> None:
    """Write the fleet, and make the domain with the people and spaces that are there already."""
    files = {
        "fleet.toml": FLEET,
        "teams/robots.toml": TEAM,
        "policies/execution.toml": policy,
        "policies/rules.toml": RULES,
    }
    for name, text in files.items():
        (place.folder / name).parent.mkdir(exist_ok=True)
        (place.folder / name).write_text(text)
    place.within(_make_owners)
    place.scenario(QUICK_ALL)


def _make_owners(world: World) -> None:
    """Ada to Hal have profiles, and some of them spaces; Gus is not there at all."""
    domain = owner_operations.add_domain(world, DOMAIN_ID, "eu-west-1", ACCOUNT, name="research")
    for name in ("ada", "bo", "cleo", "dan", "eve", "fay", "hal"):
        owner_operations.create_profile(world, domain, name, at_once=True)
    for name in ("ada-lab", "bo-lab", "cleo-lab", "eve-lab", "eve-code", "hal-lab", "hal-code"):
        person, _, what = name.partition("-")
        settings = {"AppType": "JupyterLab" if what == "lab" else "CodeEditor"}
        owner_operations.create_space(
            world, domain, name, owner=person, sharing="Private", settings=settings, at_once=True
        )  # fmt: skip
    domain.created_at = LONG_AGO
    for profile in domain.profiles.values():
        profile.created_at = LONG_AGO
    for space in domain.spaces.values():
        space.created_at = LONG_AGO


def _put(place: Place, key: str, instance_type: str = "ml.t3.medium", tags: dict[str, str] | None = None) -> None:
    place.put_app(f"research/{key}/default", instance_type, tags)

    def age(world: World) -> None:
        world.apps[place.identity(f"research/{key}/default")].created_at = LONG_AGO

    place.within(age)


def prepare_varied(place: Place) -> None:
    """Leave apps of every kind: as declared, of nobody, drifted, another fleet's, ours and no longer declared."""
    _lay_out(place, POLICY + "[owners]\ncreate = true\n" + SAFETY + PRICES)
    _put(place, "space/ada-lab/JupyterLab", tags=OURS)
    _put(place, "space/bo-lab/JupyterLab")
    _put(place, "space/cleo-lab/JupyterLab", "ml.m5.large", OURS)
    _put(place, "space/eve-lab/JupyterLab", tags=THEIRS)
    _put(place, "space/hal-lab/JupyterLab", tags=OURS)
    _put(place, "space/hal-code/CodeEditor", "ml.t3.medium")


def _after(*words: str) -> list[Step]:
    """Return the steps of one plan: it is made, saved and applied; then how it all looks."""
    return [
        Step(["plan", "--format", "json", *words, "--out", "plan.json"]),
        Step(["apply", "plan.json", "--plan-age-max", "10000d", "--format", "json", "--log-level", "debug"]),
        Step(["status", "--format", "json"]),
    ]


_LATER: Final = [Step(["plan", "--detailed-exitcode", "--format", "json"]), Step(["history", "--format", "json"])]
PLANS: Final = {
    "plain": [*_after(), *_LATER],
    "prune": _after("--prune"),
    "adopt": _after("--adopt"),
    "replace": _after("--replace"),
    "replace_key": _after("--replace", "research/space/ada-lab/JupyterLab/default"),
    "from_fleet": _after("--adopt", "--from-fleet", "day"),
    "everything": _after(
        "--prune", "--adopt", "--from-fleet", "day", "--replace", "--retry-quarantined",
        "--allow-destructive", "research/space/*/JupyterLab/default=2",
    ),
    "team": _after("--team", "robots"),
    "globs": _after("--domain", "res*", "--space", "*-lab", "--app-type", "JupyterLab", "--prune"),
    "user": _after("--user", "e*"),
    "key": _after("--key", "research/space/eve-code/CodeEditor/default"),
}  # fmt: skip
DENIED_STEPS: Final = {
    "denied": [
        Step(
            ["plan", "--format", "json", "--out", "plan.json"],
            {"policies/more.toml": "[safety]\ncreate_max = 2\n"} | {"policies/execution.toml": POLICY},
            code=4,
        ),
        Step(["apply", "plan.json"]),
        Step(["apply", "--yes", "--format", "json", "--log-level", "debug"]),
        Step(["history", "--format", "json"]),
    ]
}
TEAM_STEPS: Final = {
    "teams": [
        Step(["offboard", "speech", "--yes", "--format", "json"]),
        Step(["onboard", "vision2", "--like", "vision", "--members", "ida", "--yes", "--format", "json"]),
        Step(["history", "--format", "json"]),
    ],
    "explain": [
        Step(["explain", "research/space/cleo-lab/JupyterLab/default", "--format", "json"]),
        Step(["explain", "research/space/eve-lab/JupyterLab/default", "--format", "json"]),
        Step(["explain", "research/user/fay/Canvas/default", "--format", "json"]),
        Step(["explain", "research/space/hal-lab/JupyterLab/default", "--format", "json"]),
        Step(["explain", "research/space/nobody/JupyterLab/default", "--format", "json"]),
        Step(["iam-policy"]),
        Step(["iam-policy", "--read-only", "--prices"]),
        Step(["import", "--domain-id", DOMAIN_ID, "--region", "eu-west-1"]),
        Step(["schema", "fleet"]),
        Step(["schema", "plan"]),
    ],
}
# Each ends with the code that is stored, and names the same codes of errors.
EXIT_CODES: Final = {
    "exit_codes": [
        Step(words)
        for words in (
            ["validate"],
            ["plan"],
            ["plan", "--detailed-exitcode"],
            ["plan", "--strict"],
            ["plan", "--team", "visoin"],
            ["plan", "--key", "research/space/nobody/JupyterLab/default"],
            ["plan", "--key", "nobody"],
            ["plan", "--team", ""],
            ["plan", "--format", "yaml"],
            ["plan", "--out", "nowhere/plan.json"],
            ["plan", "--out", "-"],
            ["plan", "--replace", "research/space/nobody/JupyterLab/default"],
            ["plan", "--adopt", "--from-fleet", "night"],
            ["plan", "--from-fleet", "day"],
            ["plan", "--prune", "--allow-destructive", "x=y=z"],
            ["plan", "--endpoint-url", "http://192.0.2.1:80"],
            ["status"],
            ["status", "--expiring-within", "soon"],
            ["explain", "nobody"],
            ["history"],
            ["history", "--limit", "0"],
            ["report"],
            ["report", "nobody"],
            ["apply"],
            ["apply", "--yess"],
            ["apply", "plan.json"],
            ["apply", "--yes", "--dry-run", "--format", "json"],
            ["apply", "--yes", "--deadline", "soon"],
            ["apply", "--checksum", "sha256:0"],
            ["apply", "--yes", "--prune", "--allow-destructive", "research/space/nobody/JupyterLab/default"],
            ["onboard", "vision", "--members", "ada", "--yes"],
            ["onboard", "new", "--yes"],
            ["onboard", "new", "--undo", "nothing", "--yes"],
            ["offboard", "nobody", "--yes"],
            ["import", "--domain-id", "d-nothing", "--region", "eu-west-1"],
            ["init"],
            ["schema", "nothing"],
            ["completion", "tcsh"],
            ["nothing"],
            ["--version"],
            ["--help"],
        )
    ]
    + [
        Step(["validate"], {"teams/robots.toml": "nothing = 2\n"}),
        Step(["plan", "--format", "json"]),
        Step(["apply", "--yes", "--format", "json"]),
        Step(["plan", "--format", "json"], {"teams/robots.toml": TEAM, "policies/rules.toml": "[[rule]]\nid = 1\n"}),
        Step(["validate"], {"policies/rules.toml": RULES.replace("advisory", "mandatory")}),
        Step(["plan", "--format", "json"]),
        Step(["apply", "--yes", "--format", "json", "--log-level", "debug"]),
        Step(["history", "--format", "json"]),
    ]
}


def prepare_nights(place: Place) -> None:
    """Leave three nights: apps of mode once are made, one app has failed each time, one run did not wait."""
    _lay_out(place, POLICY + "[owners]\ncreate = true\n" + SAFETY + PRICES)
    broken = '[[failure]]\nreason = "the script failed"\nowner = "bo-lab"\n'
    place.scenario(QUICK_ALL + broken)
    for words in ((), (), ()):
        assert place.apply(*words).code == 3
    place.scenario(QUICK_ALL + broken.replace("bo-lab", "ida-lab"))
    team = TEAM.replace('["gus"]', '["gus", "ida"]')
    (place.folder / "teams" / "robots.toml").write_text(team)
    assert place.apply("--no-wait").code == 3
    until(lambda: place.status_of("research/space/ida-lab/JupyterLab/default") == "Failed", "the last one has failed")


NIGHTS_STEPS: Final = {
    "next_night": [
        Step(["history", "--format", "json"]),
        Step(["status", "--format", "json"]),
        Step(["plan", "--format", "json"]),
        Step(["explain", "research/space/bo-lab/JupyterLab/default", "--format", "json"]),
        Step(["explain", "research/space/eve-lab/JupyterLab/default", "--format", "json"]),
        Step(["report", "--out", "report.html"]),
        Step(["apply", "--yes", "--format", "json", "--log-level", "debug"]),
        Step(["history", "--format", "json"]),
    ],
    "offboarded": [
        Step(
            ["offboard", "robots", "--yes", "--owners", "--allow-destructive", "*=5", "--format", "json"],
            {"teams/robots.toml": "", "offboarded/robots.toml": TEAM.replace('["gus"]', '["gus", "ida"]')},
        ),
        Step(["plan", "--format", "json"]),
        Step(["history", "--format", "json"]),
    ],
    "tried_again": [
        Step(["apply", "--yes", "--retry-quarantined", "--format", "json", "--log-level", "debug"]),
        Step(["plan", "--detailed-exitcode", "--format", "json"]),
        Step(["history", "--limit", "1", "--format", "json"]),
    ],
}


def prepare_killed(place: Place) -> None:
    """Leave a run that was killed: nine creates had no answer, two of them lost, nor had the delete of a replace."""
    _lay_out(place, POLICY + SAFETY + PRICES)
    place.within(lambda world: extend_for_fleet(world, load_fleet(place.folder / "fleet.toml").fleet, time.time()))
    _put(place, "space/cleo-lab/JupyterLab", "ml.m5.large", OURS)
    assert place.apply("--team", "robots").code == 0
    place.scenario(QUICK_ALL + fault("stall-after", "CreateApp") + fault("stall-after", "DeleteApp"))

    def in_doubt() -> int:
        with closing(sqlite3.connect(place.folder / STATE / "journal.sqlite")) as connection, connection:
            return int(connection.execute("SELECT count(*) FROM unfinished WHERE in_doubt").fetchone()[0])

    with place.start("apply", "--yes", "--replace") as running:
        until(lambda: place.calls().get("DeleteApp", {}).get("fault:stall-after", 0) == 1, "its delete hangs")
        until(lambda: place.calls().get("CreateApp", {}).get("fault:stall-after", 0) == 9, "the creates hang")
        until(lambda: in_doubt() == 10, "what is in doubt is on the disk")
        running.signal(signal.SIGKILL)
        running.end()
    cleo = "research/space/cleo-lab/JupyterLab/default"
    until(lambda: place.status_of(cleo) == "Deleted", "the delete has settled")


LOST: Final = {"killed": ("bo-lab", "fay-lab")}  # owners of the apps whose creates never arrived


KILLED_STEPS: Final = {
    "looked_at": [
        Step(["history", "--format", "json"]),
        Step(["status", "--format", "json"]),
        Step(["plan", "--format", "json"]),
        Step(["report", "--out", "report.html"]),
    ],
    "carried_on": [
        Step(["apply", "--yes", "--format", "json", "--log-level", "debug"]),
        Step(["plan", "--detailed-exitcode", "--format", "json"]),
        Step(["history", "--format", "json"]),
    ],
}
