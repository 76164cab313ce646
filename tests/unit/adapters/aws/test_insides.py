"""What we override of the libraries' insides is there to be overridden.

A method of ours that nothing calls any more would take a property of the transport with it; where that can happen
without a failure, a newer library that renamed it is found here.
"""

from __future__ import annotations

import aiohttp
import pytest
from aiobotocore import credentials, parsers
from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import AioSession
from botocore.httpsession import ProxyConfiguration
from botocore.loaders import JSONFileLoader, Loader

from engine.adapters.aws import credential_sources as sources
from engine.adapters.aws import logins, routes, service_loader, transport

OVERRIDDEN: dict[tuple[type, type], tuple[str, ...]] = {
    (transport.SafeSession, AIOHTTPSession): ("__aexit__", "_get_session", "send"),
    (transport.SafeConfig, AioConfig): ("merge",),
    (transport.ProvingConnector, aiohttp.TCPConnector): ("_get_ssl_context", "_start_tls_connection", "connect"),
    (transport.CappedResponse, aiohttp.ClientResponse): ("read",),
    (transport.StrictJSONParser, parsers.AioJSONParser): ("_do_parse", "_parse_body_as_json"),
    (transport.StrictParserFactory, parsers.AioResponseParserFactory): ("create_parser",),
    (routes.SafeProxies, ProxyConfiguration): ("proxy_url_for",),
    (service_loader.DataFiles, JSONFileLoader): ("_load_file",),
    (service_loader.ServiceLoader, Loader): ("list_available_services", "load_service_model"),
    (logins.FleetSession, AioSession): ("_create_credential_resolver", "create_client"),
    (sources._Environment, credentials.AioEnvProvider): ("load",),
    (sources._Process, credentials.AioProcessProvider): ("_retrieve_credentials_using",),
    (sources._Container, credentials.AioContainerProvider): ("_build_headers", "_retrieve_or_fail"),
    (sources._NamedSources, credentials.AioProfileProviderBuilder): (
        "_create_process_provider",
        "_create_web_identity_provider",
    ),
}
# Ours alone, by class; every other method must be one of the library's.
OWN: dict[type, set[str]] = {
    transport.SafeSession: {
        "_asked_bundle", "_check_way", "_open_session", "_proving_connector", "_proxy_context", "_server_context",
        "may_speak_plainly",
    },
    transport.CappedResponse: {"_read_bounded"},
    sources._Process: {"_read"},
}  # fmt: skip
CLASSES = list(OVERRIDDEN)


@pytest.mark.parametrize(("ours", "theirs"), CLASSES, ids=[ours.__name__ for ours, _ in CLASSES])
def test_each_method_of_ours_is_one_that_the_library_has(ours: type, theirs: type) -> None:
    written = {name for name, value in vars(ours).items() if callable(value) and not name.startswith("__init_")}
    written -= {name for name, value in vars(ours).items() if isinstance(value, type)} | OWN.get(ours, set())
    assert written == set(OVERRIDDEN[ours, theirs])
    assert [name for name in sorted(written) if not callable(getattr(theirs, name, None))] == []
    assert [name for name in OWN.get(ours, set()) if hasattr(theirs, name)] == []
