"""Clients come through aioboto3 where it is installed, and from the session that it stands on where it is not."""

from __future__ import annotations

import pytest
from aiobotocore.session import AioSession

from engine.adapters.aws import client_maker as module
from engine.adapters.aws.client_maker import HAS_AIOBOTO3, client_maker


@pytest.mark.skipif(not HAS_AIOBOTO3, reason="aioboto3 is left out beside an aiobotocore that it does not allow")
def test_clients_come_through_aioboto3() -> None:
    import aioboto3

    session = AioSession()
    maker = getattr(client_maker(session), "__self__", None)
    assert isinstance(maker, aioboto3.Session)
    assert maker._session is session


@pytest.mark.parametrize("has_aioboto3", [HAS_AIOBOTO3, False])
async def test_a_client_is_of_the_session_that_was_given(
    monkeypatch: pytest.MonkeyPatch, *, has_aioboto3: bool
) -> None:
    monkeypatch.setattr(module, "HAS_AIOBOTO3", has_aioboto3)
    session = AioSession()
    made: list[object] = []

    def noting(*names: object, **options: object) -> object:
        made.append((*names, options["region_name"]))
        return AioSession.create_client(session, *names, **options)

    monkeypatch.setattr(session, "create_client", noting)
    async with client_maker(session)("sts", region_name="eu-west-1") as client:
        assert client.meta.region_name == "eu-west-1"
    assert made == [("sts", "eu-west-1")]
