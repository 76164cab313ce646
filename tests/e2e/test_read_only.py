"""The rights that `iam-policy --read-only` gives are enough for the commands that look."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.harness import Place

SERVICES = {"GetCallerIdentity": "sts", "GetResources": "tag", "ListServiceQuotas": "servicequotas"}
ALWAYS_ALLOWED = "sts:GetCallerIdentity"


@pytest.mark.slow
@pytest.mark.parametrize("create", [False, True], ids=["apps alone", "people too"])
def test_plan_and_status_call_nothing_else(place: Place, create: bool) -> None:
    (place.folder / "policies" / "owners.toml").write_text(f"[owners]\ncreate = {str(create).lower()}\n")
    policy = json.loads(place.run("iam-policy", "--read-only").out)
    allowed = {action for statement in policy["Statement"] for action in statement["Action"]}
    for command in (["plan"], ["status"], ["plan", "--prune"]):
        ran = place.run(*command)
        assert ran.code == 0, ran.err
    called = {f"{SERVICES.get(name, 'sagemaker')}:{name}" for name in place.calls()}
    assert called - allowed == {ALWAYS_ALLOWED}
