"""No answer that is not the service's own is read as an account's quotas, domains or apps."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from engine.adapters.aws.sessions import Clouds
from engine.core.desired import AppSpec
from engine.core.errors import CloudError, OutcomeUnknown
from engine.core.identity import SPACE, USER
from engine.core.quota_fit import QuotaValue
from engine.core.text import is_safe
from tests.unit.adapters.aws.corpus import FOR_ALL
from tests.unit.adapters.aws.hostile import FAST_TIMES, desired, hostile, http

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from engine.adapters.aws.account import AccountCalls


async def _quotas(account: AccountCalls) -> Any:
    return await account.list_quotas()


async def _domains(account: AccountCalls) -> Any:
    return await account.list_domains()


async def _apps(account: AccountCalls) -> Any:
    return await account.list_apps()


async def _profiles(account: AccountCalls) -> Any:
    return await account.list_owners(USER)


async def _spaces(account: AccountCalls) -> Any:
    return await account.list_owners(SPACE)


CALLS: tuple[Callable[[AccountCalls], Awaitable[Any]], ...] = (_quotas, _domains, _apps, _profiles, _spaces)
APP = {"DomainId": "d-1", "AppType": "JupyterLab", "Status": "InService"}
QUOTA = {"QuotaName": "some quota", "QuotaCode": "L-1", "Value": 3.0}


@asynccontextmanager
async def account_at(url: str) -> AsyncIterator[AccountCalls]:
    """Reach an account at an endpoint with the credentials of the environment."""
    async with Clouds(endpoint_url=url, gate_times=FAST_TIMES) as clouds:
        account = await clouds.account(desired())
        assert account is not None
        yield account


@pytest.mark.parametrize("answer", FOR_ALL.values(), ids=FOR_ALL.keys())
async def test_no_call_reads_it_as_a_success(answer: bytes) -> None:
    async with hostile(answer) as server, account_at(server.url) as account:
        for call in CALLS:
            with pytest.raises(CloudError) as caught:
                await call(account)
            assert is_safe(str(caught.value))
            assert caught.value.hint
        assert len(server.requests) == len(CALLS), "nothing is sent twice"


def _not_listings() -> list[tuple[Callable[[AccountCalls], Awaitable[Any]], dict[str, Any]]]:
    cases: list[tuple[Callable[[AccountCalls], Awaitable[Any]], dict[str, Any]]] = [
        (call, json.loads(text.replace("ROWS", name)))
        for call, name in zip(CALLS, ("Quotas", "Domains", "Apps", "UserProfiles", "Spaces"), strict=True)
        for text in ("{}", '{"ROWS":null}', '{"ROWS":[null]}', '{"ROWS":[{}]}', '{"ROWS":"none"}')
    ]
    cases += [(_apps, {"Apps": [{**APP, field: None}]}) for field in ("AppType", "Status")]
    cases += [(_quotas, {"Quotas": [{**QUOTA, "Value": value}]}) for value in (None, True, "3", -1, 1e12)]
    return cases


@pytest.mark.parametrize(("call", "body"), _not_listings())
async def test_a_listing_that_is_none_is_never_an_empty_one(
    call: Callable[[AccountCalls], Awaitable[Any]], body: dict[str, Any]
) -> None:
    async with hostile(http(json.dumps(body).encode())) as server, account_at(server.url) as account:
        with pytest.raises(OutcomeUnknown):
            await call(account)


async def test_what_is_well_said_is_read() -> None:
    """The answers above are refused for what is wrong with them, not for all that they are."""
    answer = {"Apps": [APP], "Quotas": [QUOTA], "Domains": [{"DomainId": "d-1"}], "NextToken": "more"}
    async with hostile(http(json.dumps(answer).encode())) as server, account_at(server.url) as account:
        apps, quotas, domains = await _apps(account), await _quotas(account), await _domains(account)
        assert "DomainIdEquals" not in json.loads(server.requests[0].body)
    assert (apps.rows, apps.next_token) == ((("JupyterLab", AppSpec(), "InService"),), "more")
    assert quotas.values == {"some quota": QuotaValue("L-1", 3)}
    assert domains.domain_ids == ("d-1",)


@pytest.mark.parametrize(("call", "word"), [(_profiles, "UserProfile"), (_spaces, "Space")])
async def test_owners_are_counted_over_all_domains(call: Callable[[AccountCalls], Awaitable[Any]], word: str) -> None:
    answer = {f"{word}s": [{f"{word}Name": "a"}, {f"{word}Name": "b"}], "NextToken": "more"}
    async with hostile(http(json.dumps(answer).encode())) as server, account_at(server.url) as account:
        page = await call(account)
        assert "DomainIdEquals" not in json.loads(server.requests[0].body)
    assert (page.owners, page.next_token) == (2, "more")
