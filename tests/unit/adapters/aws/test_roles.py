"""Roles over loopback: what AssumeRole is sent, and what is said where it is denied."""

from __future__ import annotations

import pytest

from engine.adapters.aws.sessions import Clouds
from engine.core.errors import CredentialsFailed
from engine.simulator.faces.thread_runner import SimulatorThread
from engine.simulator.world.world import World
from tests.unit.adapters.aws.hostile import FAST_TIMES, desired

ROLE = "arn:aws:iam::111122223333:role/provisioner"
EXTERNAL_ID = "tenant:7/prod"


def guarded() -> World:
    world = World(account="999999999999")
    world.external_ids[ROLE] = EXTERNAL_ID
    return world


async def test_an_external_id_opens_the_role_that_requires_it() -> None:
    """The id goes to AssumeRole alone: the caller that the role then is has none."""
    with SimulatorThread(guarded()) as simulator:
        async with Clouds(endpoint_url=simulator.url, gate_times=FAST_TIMES) as clouds:
            cloud = await clouds.connect(desired(role_arn=ROLE, external_id=EXTERNAL_ID))
            assert (await cloud.caller()).account == "111122223333"


@pytest.mark.parametrize("external_id", [None, "tenant:8/prod"])
async def test_a_role_that_requires_another_external_id_is_denied_with_what_to_check(external_id: str | None) -> None:
    """Each id is a login of its own: a role that one domain may assume is not thereby open to another."""
    with SimulatorThread(guarded()) as simulator:
        async with Clouds(endpoint_url=simulator.url, gate_times=FAST_TIMES) as clouds:
            await clouds.connect(desired(role_arn=ROLE, external_id=EXTERNAL_ID))
            with pytest.raises(CredentialsFailed) as caught:
                await clouds.connect(desired(role_arn=ROLE, external_id=external_id))
    error = caught.value
    assert "AssumeRole failed with AccessDenied: User: arn:aws:sts::999999999999:" in error.message
    assert f"sts:AssumeRole on resource: {ROLE}" in error.message
    assert error.hint is not None
    assert "set external_id beside role_arn" in error.hint
    assert "tenant" not in str(error)
