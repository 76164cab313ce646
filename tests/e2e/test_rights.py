"""The rights that `iam-policy` gives are enough for runs that make, update, assign and let go."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from engine.simulator.faces.thread_runner import SimulatorThread
from engine.simulator.service import owner_operations
from tests.e2e.harness import ACCOUNT, DOMAIN_ID, Place
from tests.e2e.test_onboarding import FLEET
from tests.e2e.test_owners_kept import QUICK_OWNERS, UPDATES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVICES = {
    "GetCallerIdentity": "sts",
    "GetResources": "tag",
    "ListServiceQuotas": "servicequotas",
    "ListInstances": "sso",
    "CreateApplicationAssignment": "sso",
    "GetUserId": "identitystore",
}
ALWAYS_ALLOWED = "sts:GetCallerIdentity"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Yield a fleet that makes, updates and assigns people, and an empty domain of IAM Identity Center."""
    made = Place(tmp_path)
    owner_operations.add_domain(made.world, DOMAIN_ID, "eu-west-1", ACCOUNT, name="research", auth_mode="SSO")
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "execution.toml").write_text(UPDATES + "assign = true\n")
    (tmp_path / "fleet.toml").write_text(
        FLEET.replace("account =", 'sso_identity = "{member}@corp.example"\naccount =')
    )
    made.scenario(QUICK_OWNERS)
    with SimulatorThread(made.world) as simulator:
        made.simulator = simulator
        made.url = simulator.url
        yield made


def test_a_team_comes_changes_and_goes_with_the_rights_of_the_policy(place: Place) -> None:
    onboard = ("onboard", "vision", "--members", "ann,bob", "--app", "lab", "--app", "canvas", "--yes")
    ran = place.run(*onboard)
    assert ran.code == 0, ran.out + ran.err
    team = place.folder / "teams" / "vision.toml"
    team.write_text(team.read_text() + "[domains.research.spaces.ann-lab]\nidle_minutes = 90\n")
    ran = place.apply("--owners")
    assert ran.code == 0, ran.err
    assert {"UpdateSpace", "CreateApplicationAssignment"} <= place.calls().keys()
    assert not _called(place) - _allowed(place)

    place.forget_calls()
    assert place.run("plan", "--owners").code == 0
    assert not _called(place) - _allowed(place, "--read-only")

    (updated, made, *_) = json.loads(place.run("history", "--format", "json").out)["runs"]
    assert place.run("onboard", "--undo", updated["run_id"], "--yes").code == 0
    gone = place.run("onboard", "--undo", made["run_id"], "--yes", "--allow-destructive", "research/*=8")
    assert gone.code == 0, gone.out + gone.err
    assert {"DeleteSpace", "DeleteUserProfile"} <= place.calls().keys()
    assert not _called(place) - _allowed(place, "--offboard")


def _called(place: Place) -> set[str]:
    return {f"{SERVICES.get(name, 'sagemaker')}:{name}" for name in place.calls()} - {ALWAYS_ALLOWED}


def _allowed(place: Place, *flags: str) -> set[str]:
    policy = json.loads(place.run("iam-policy", *flags).out)
    return {action for statement in policy["Statement"] for action in statement["Action"]}
