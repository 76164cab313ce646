"""The safe session is in place, stays in place, and says so when it is not."""

from __future__ import annotations

import aiohttp
import pytest
from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import AioSession
from botocore import UNSIGNED

from engine.adapters.aws.client_maker import client_maker
from engine.adapters.aws.routes import is_loopback, is_safe_url
from engine.adapters.aws.transport import (
    CappedResponse,
    SafeConfig,
    SafeSession,
    StrictJSONParser,
    StrictParserFactory,
    harden,
    safe_config,
)
from engine.core.errors import BugError, Unreachable
from tests.unit.adapters.aws.hostile import DOMAIN_ID, cloud_at, free_port, hostile, http


def config() -> SafeConfig:
    return safe_config(16, user_agent="appfleet/0")


def test_a_merged_configuration_keeps_its_session() -> None:
    """The pinned library's own drops it, and a newer one's takes the other's; with it go all properties of this one."""
    merged = config().merge(AioConfig(signature_version=UNSIGNED))
    assert merged.http_session_cls is SafeSession
    assert merged.signature_version is UNSIGNED
    assert merged.retries == {"mode": "standard", "total_max_attempts": 1}
    assert merged.max_pool_connections == 20
    assert config().merge(AioConfig(http_session_cls=AIOHTTPSession)).http_session_cls is SafeSession


async def test_a_client_without_the_safe_session_is_a_bug() -> None:
    async with client_maker(AioSession())("sts", region_name="eu-west-1") as client:
        with pytest.raises(BugError, match="AIOHTTPSession"):
            harden(client)


async def test_nothing_goes_over_plain_http_to_another_machine() -> None:
    """Even where nobody looked at the endpoint before, the session itself refuses."""
    session = AioSession()
    options = {"region_name": "eu-west-1", "config": config(), "endpoint_url": "http://192.0.2.1:80"}
    async with session.create_client("sts", **options) as client:
        with pytest.raises(Exception, match=r"plain http to 192\.0\.2\.1"):
            await client.get_caller_identity()


async def test_a_session_that_was_closed_opens_nothing() -> None:
    async with hostile() as server:
        session = AioSession()
        options = {"region_name": "eu-west-1", "config": config(), "endpoint_url": server.url}
        async with session.create_client("sts", **options) as client:
            pass
        with pytest.raises(Exception, match="after it had been closed"):
            await client.get_caller_identity()
        assert server.connections == 0


async def test_a_body_is_read_once_and_given_twice() -> None:
    async with hostile(http(b"body")) as server, aiohttp.ClientSession(response_class=CappedResponse) as session:
        async with session.post(server.url) as response:
            assert await response.read() == b"body"
            assert await response.read() == b"body"
        assert len(server.requests) == 1


async def test_https_is_taken_everywhere() -> None:
    async with cloud_at(f"https://127.0.0.1:{free_port()}") as cloud:
        with pytest.raises(Unreachable, match=r"^Cannot connect"):
            await cloud.list_apps(DOMAIN_ID)


@pytest.mark.parametrize(
    ("url", "is_safe"),
    [
        ("https://example.org", True),
        ("http://localhost:1", True),
        ("http://127.0.0.1:1/x", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:1", True),
        ("http://localhost.example.org", False),
        ("http://127.0.0.1.example.org", False),
        ("http://127.0.0.1@example.org", False),
        ("http://10.0.0.1", False),
        ("https://user:password@example.org", False),
        ("https://", False),
        ("HTTP://example.org", False),
        ("http://", False),
        ("http://[", False),
        ("", False),
        ("http://127.0.0.1:44859.", False),
        ("https://vpce.example:port", False),
    ],
)
def test_credentials_go_over_https_or_to_this_machine(url: str, is_safe: bool) -> None:
    assert is_safe_url(url) is is_safe


def test_a_missing_host_is_not_this_machine() -> None:
    assert not is_loopback(None)


def test_only_json_is_read_strictly() -> None:
    factory = StrictParserFactory()
    assert isinstance(factory.create_parser("json"), StrictJSONParser)
    assert factory.create_parser("json") is factory.create_parser("json")
    assert not isinstance(factory.create_parser("query"), StrictJSONParser)
