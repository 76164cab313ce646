"""A fleet to start from: commented files that are valid as they are written.

Not here: asking for what stands in them (`cli.init`), and putting them in place (`app.init`).
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Final

from engine.config.editor_schemas import SchemaOf, schema_line
from engine.config.toml_text import toml_key, toml_value
from engine.policy.facts import APP_TYPES

GIT_IGNORE_NAME: Final = ".gitignore"


@dataclass(frozen=True, slots=True)
class Answers:
    """What the files are made of. An empty `account` means any, an empty `profile` the credentials of the shell."""

    name: str
    domain_id: str
    region: str
    account: str
    team: str
    members: tuple[str, ...]
    profile: str = ""


_COMMENT_GAP: Final = "  "
_COMMENT_WIDTH_CHARS: Final = 110
TEAMS_FOLDER: Final = "teams"

# In each block of lines the comments begin in one column, however long the answers are.
_FLEET: Final = """\
# The apps that should exist. `appfleet validate` checks this file, `appfleet plan` lists the missing apps.
schema  = 1
name    = {name}  # every app gets it as the tag appfleet:fleet, which says whose app it is
include = ["teams/*.toml"]  # one file per team; `appfleet onboard TEAM` writes another

# [defaults]  # for every app; what is set further down wins
# tags = {{ cost-center = "4711" }}

[domains.main]
id     = {domain_id}
region = {region}
{account}  # never use credentials of another account
{profile}  # the AWS profile whose credentials to use, if not those of your shell
# role_arn = "arn:aws:iam::111122223333:role/provisioner"  # a role to assume
# external_id = "abc-123"       # where the role's trust policy requires one

[apps.lab]  # an app that teams use by its name
type          = "JupyterLab"
instance_type = "ml.t3.medium"

# [apps.gpu-lab]
# extends       = "lab"
# instance_type = "ml.g5.xlarge"
# fallback      = ["ml.g4dn.xlarge"]  # tried in this order when there is no capacity
# expires       = 2027-12-31  # after that day the app is no longer wanted
"""

_TEAM: Final = """# The first team. Another one: appfleet onboard TEAM --members carol,dave --app lab
[domains.main.teams.{team}]
members = {members}

[domains.main.teams.{team}.spaces]
"{{member}}-lab" = {{ apps = ["lab"] }}  # a private space for each member
"""

_EXECUTION: Final = """# How a run works. These are the defaults; `appfleet schema policy` describes every key.
[execution]
create_rate     = 2.0      # CreateApp calls per second at the start
create_rate_max = 20.0     # how far the adaptive throttle may climb
concurrency     = 16       # calls in flight
settle_timeout  = "20m"    # then an app is reported as still pending
deadline        = "3h"     # of the whole run

[backoff.ResourceLimitExceeded]
initial       = "5s"
max           = "5m"
give_up_after = "30m"      # then the app ends the run as parked

[safety]
replace     = "never"      # or on-drift
prune       = false        # true: delete what this fleet made and no longer declares
destroy_max = 10           # deletes in one run; replaces come in waves of replace_wave = 10

# [owners]
# create = true            # make the user profiles and spaces that the fleet declares, before their apps
# assign = true            # and assign the users of new profiles in IAM Identity Center, where people sign in there
"""

_RULES: Final = """# Rules for every app, in CEL. They may use
{names}.
# `appfleet explain KEY` shows what each rule says about an app.
[[rule]]
id          = "approved-instance-types"
description = "Big machines need a word with the platform team"
enforcement = "advisory"   # or skip, mandatory, remediate, disabled
check       = 'instance_type == "" || !instance_type.startsWith("ml.p")'
message     = "{{instance_type}} is large: talk to the platform team"
"""


_IGNORED: Final = """# Files that appfleet writes and nobody else needs.
.appfleet/
plan.json
report*.html
appfleet.jsonl
last.json
"""


def starter_files(answers: Answers) -> dict[str, str]:
    """Return the files by their path below the folder."""
    fleet = _FLEET.format(
        name=toml_value(answers.name),
        domain_id=toml_value(answers.domain_id),
        region=toml_value(answers.region),
        profile=f"profile = {toml_value(answers.profile)}" if answers.profile else '# profile  = "ml-prod"',
        account=f"account = {toml_value(answers.account)}" if answers.account else '# account = "111122223333"',
    )
    team = _TEAM.format(team=toml_key(answers.team), members=toml_value(answers.members))
    files = {
        "fleet.toml": (SchemaOf.FLEET, _aligned(fleet)),
        "policies/execution.toml": (SchemaOf.POLICY, _EXECUTION),
        "policies/rules.toml": (SchemaOf.POLICY, _RULES.format(names=_commented(", ".join(sorted(APP_TYPES))))),
        f"{TEAMS_FOLDER}/{answers.team}.toml": (SchemaOf.INCLUDED, team),
    }
    return {name: schema_line(kind, name) + text for name, (kind, text) in files.items()} | {GIT_IGNORE_NAME: _IGNORED}


def _commented(text: str) -> str:
    return textwrap.fill(text, _COMMENT_WIDTH_CHARS, initial_indent="# ", subsequent_indent="# ")


def _aligned(text: str) -> str:
    """Put the comments behind the values of each block, and its equals signs, into one column."""
    return "\n\n".join("\n".join(_aligned_block(block.split("\n"))) for block in text.split("\n\n"))


def _aligned_block(lines: list[str]) -> list[str]:
    parts = [line.partition(f"{_COMMENT_GAP}# ") for line in lines]
    assigned = [body.partition(" = ") for body, _, _ in parts]
    key_width = max((len(key.rstrip()) for key, equals, _ in assigned if equals), default=0)
    bodies = [
        f"{key.rstrip():<{key_width}} = {value}" if equals else body
        for (key, equals, value), (body, _, _) in zip(assigned, parts, strict=True)
    ]
    width = max((len(body) for body, (_, mark, _) in zip(bodies, parts, strict=True) if mark), default=0)
    return [
        f"{body:<{width}}{mark}{comment}" if mark else body
        for body, (_, mark, comment) in zip(bodies, parts, strict=True)
    ]
