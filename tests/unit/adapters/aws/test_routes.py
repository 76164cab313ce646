"""A proxy carries https to other machines and nothing else, and says what it refuses."""

from __future__ import annotations

import socket

import pytest

from engine.adapters.aws.routes import SafeProxies, UnusableProxyError, check_way_to, origin_of, without_password
from engine.adapters.aws.sessions import Clouds
from engine.core.errors import Unreachable, UsageError
from tests.tls_lab import proxy_to
from tests.unit.adapters.aws.conftest import SESSION_TOKEN
from tests.unit.adapters.aws.hostile import DOMAIN_ID, FAST_TIMES, desired, hostile, http

AWS = "https://api.sagemaker.eu-west-1.amazonaws.com/"
VARIABLES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*VARIABLES, "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.8.9.1"])
async def test_loopback_is_reached_directly_whatever_the_variables_say(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hostile(http(b'{"Apps":[]}')) as server, proxy_to(server.port) as proxy:
        for name in VARIABLES:
            monkeypatch.setenv(name, proxy.url)
        url = f"http://{host if host != '127.8.9.1' else '127.0.0.1'}:{server.port}"
        async with Clouds(endpoint_url=url, gate_times=FAST_TIMES) as clouds:
            await (await clouds.connect(desired())).list_apps(DOMAIN_ID)
        assert (proxy.asked, len(server.requests)) == ([], 1)
    assert SESSION_TOKEN not in "".join(proxy.heads)


@pytest.mark.parametrize(
    ("url", "goes_through"),
    [
        (AWS, True),
        ("https://127.0.0.1:1/", False),
        ("https://localhost:1/", False),
        ("https://[::1]:1/", False),
        ("http://127.0.0.1:1/", False),
        ("http://169.254.169.254/", False),
        ("http://example.org/", False),
    ],
)
def test_only_https_to_another_machine_goes_through_a_proxy(url: str, goes_through: bool) -> None:
    proxies = SafeProxies({"http": "http://proxy.test:1", "https": "http://proxy.test:2"})
    assert proxies.proxy_url_for(url) == ("http://proxy.test:2" if goes_through else None)


async def test_hosts_in_no_proxy_are_reached_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:1")
    for hosts, goes_through in (("", True), (".amazonaws.com", False), ("example.org", True), ("*", False)):
        monkeypatch.setenv("NO_PROXY", hosts)
        async with Clouds() as clouds:
            session = (await clouds.connect(desired()))._sagemaker._endpoint.http_session
            assert (session._proxy_config.proxy_url_for(AWS) is not None) is goes_through, hosts


@pytest.mark.parametrize(
    ("proxy", "why"),
    [
        ("socks5://127.0.0.1:1080", "not socks5"),
        ("ftp://proxy.test:1", "not ftp"),
        ("http://", "names no host"),
        ("http://proxy.test:port", "not a URL"),
        ("http://ops:hunter2@:1", "not a URL"),
    ],
)
async def test_a_proxy_that_cannot_be_used_is_refused_before_anything_is_sent(
    proxy: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(UnusableProxyError):
        check_way_to(AWS)
    async with Clouds(gate_times=FAST_TIMES) as clouds:
        with pytest.raises(UsageError, match=why) as caught:
            await clouds.connect(desired())
    assert caught.value.message.startswith("HTTPS_PROXY is ")
    assert "hunter2" not in str(caught.value)
    check_way_to("https://127.0.0.1/")


async def test_a_proxy_that_nobody_listens_at_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://ops:hunter2@127.0.0.1:9")
    async with Clouds(gate_times=FAST_TIMES) as clouds:
        with pytest.raises(
            Unreachable, match=r"Cannot connect to the proxy http://127\.0\.0\.1:9 \(connection ref"
        ) as caught:
            await (await clouds.connect(desired())).list_apps(DOMAIN_ID)
    assert caught.value.nobody_listens
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("proxy", "shown"),
    [
        ("http://ops:hunter2@proxy.invalid:3128", "http://proxy.invalid:3128"),
        ("http://ops:hunter2@proxy.invalid", "http://proxy.invalid"),  # the port that the scheme has
        ("https://proxy.invalid/", "https://proxy.invalid"),
        ("proxy.invalid", "http://proxy.invalid"),
        ("http://PROXY.invalid:3128", "http://PROXY.invalid:3128"),
    ],
)
async def test_a_proxy_that_cannot_be_found_is_named(proxy: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    async with Clouds(gate_times=FAST_TIMES) as clouds:
        with pytest.raises(Unreachable) as caught:
            await (await clouds.connect(desired())).list_apps(DOMAIN_ID)
    assert caught.value.message == f"Cannot connect to the proxy {shown} (host name not found)"
    assert "HTTPS_PROXY" in caught.value.hint
    assert caught.value.nobody_listens


async def test_a_proxy_that_does_not_answer_in_time_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):  # who fills the queue, so that nobody else is let in
            monkeypatch.setenv("HTTPS_PROXY", f"http://ops:hunter2@127.0.0.1:{port}")
            async with Clouds(gate_times=FAST_TIMES, connect_max_seconds=0.5) as clouds:
                with pytest.raises(Unreachable) as caught:
                    await (await clouds.connect(desired())).list_apps(DOMAIN_ID)
    assert f"through the proxy http://127.0.0.1:{port} (no answer in time)" in caught.value.message
    assert "HTTPS_PROXY" in caught.value.hint


@pytest.mark.parametrize(("status", "lasts"), [(403, True), (502, False), (429, False)])
async def test_a_proxy_that_refuses_says_with_which_status(
    status: int, lasts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hostile(http(b"{}")) as server, proxy_to(server.port, status=status) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with Clouds(gate_times=FAST_TIMES) as clouds:
            with pytest.raises(Unreachable, match=f"did not connect to the service .HTTP status {status}") as caught:
                await (await clouds.connect(desired())).list_apps(DOMAIN_ID)
        assert caught.value.nobody_listens is lasts
        assert server.connections == 0


def test_a_url_is_shown_without_its_password() -> None:
    assert origin_of("http://h:1/x@127.0.0.1") == "http://h:1"
    assert origin_of("https://ops:hunter2@h:1/x?y") == "https://h:1"
    assert without_password("http://ops:hunter2@h:1/x") == "http://h:1/x"
    assert without_password("ops:hunter2@h:1") == "h:1"
