"""A fleet to start from: commented files that are valid as they are written.

Not here: asking for what stands in them (`cli.init`), and putting them in place (`starting`).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Answers:
    """What the files are made of. `account` may be empty: then any account is taken."""

    name: str
    domain_id: str
    region: str
    account: str
    team: str
    members: tuple[str, ...]


_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")

_FLEET: Final = """# The apps that should exist. `appfleet validate` checks them, `appfleet plan` shows what is missing.
schema = 1
name   = {name}                # goes onto every app as the tag appfleet:fleet, and says whose it is

# [defaults]                       # under every app below; what is set further down wins
# tags = {{ cost-center = "4711" }}

[domains.main]
id     = {domain_id}
region = {region}
{account}
# profile  = "ml-prod"             # an AWS profile, if not the one of your shell
# role_arn = "arn:aws:iam::111122223333:role/provisioner"

[apps.lab]                         # an app to be used by name
type          = "JupyterLab"
instance_type = "ml.t3.medium"

# [apps.gpu-lab]
# extends       = "lab"
# instance_type = "ml.g5.xlarge"
# fallback      = ["ml.g4dn.xlarge"]   # tried in this order when there is no capacity
# expires       = 2027-12-31           # after that day the app is no longer wanted

[domains.main.teams.{team}]
members = {members}
[domains.main.teams.{team}.spaces]
"{{member}}-lab" = {{ apps = ["lab"] }}   # a private space for each member
"""

_EXECUTION: Final = """# How a run goes. What stands here is the default; docs/limits.md has the bounds.
[execution]
create_rate     = 2.0      # CreateApp calls a second to begin with
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
destroy_max = 10           # deletes and replaces in one run

# [owners]
# create = true            # make the user profiles and spaces that the fleet declares, before their apps
"""

_RULES: Final = """# Rules over every app, in CEL; docs/policies.md has the names that they may use.
[[rule]]
id          = "approved-instance-types"
description = "Big machines need a word with the platform team"
enforcement = "advisory"   # or skip, mandatory, remediate, disabled
check       = 'instance_type == "" || !instance_type.startsWith("ml.p")'
message     = "{instance_type} is large: talk to the platform team"
"""


def starter_files(answers: Answers) -> dict[str, str]:
    """Give the files by their path below the folder."""
    account = f"account = {_quoted(answers.account)}         # a caller from another account is refused"
    fleet = _FLEET.format(
        name=_quoted(answers.name),
        domain_id=_quoted(answers.domain_id),
        region=_quoted(answers.region),
        account=account
        if answers.account
        else '# account = "111122223333"      # a caller from another account is refused',
        team=answers.team if _BARE_KEY.fullmatch(answers.team) else _quoted(answers.team),
        members=json.dumps(list(answers.members)),
    )
    return {"fleet.toml": fleet, "policies/execution.toml": _EXECUTION, "policies/rules.toml": _RULES}


def _quoted(text: str) -> str:
    """Give a TOML string: for what names are made of, JSON writes the same."""
    return json.dumps(text)
