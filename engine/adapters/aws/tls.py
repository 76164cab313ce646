"""Whom a connection trusts: one TLS context for every server and every proxy, and the words for what it refuses.

The certificate and the host's name are always verified. There is no way to switch that off: an empty AWS_CA_BUNDLE,
which the library reads as "do not verify", means the default certificate authorities here.

Not here: when a connection is made and which way it goes (`transport`).
"""

from __future__ import annotations

import os
import ssl
import stat
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import aiohttp
from botocore.exceptions import BotoCoreError
from botocore.httpsession import get_cert_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore import exceptions as aws

_CONTEXTS_KEPT_MAX_COUNT: Final = 32
_BUNDLE_VARIABLES: Final = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
_BUNDLE_OF_PROFILE: Final = "`ca_bundle` of the AWS profile"
# What OpenSSL calls a failed handshake that the same two programs repeat however often they try.
_LASTING_REASONS: Final = {
    "WRONG_VERSION_NUMBER": "the server does not speak TLS on this port",
    "HTTP_REQUEST": "the server does not speak TLS on this port",
    "UNSUPPORTED_PROTOCOL": "the server offers no TLS version that is safe",
    "NO_PROTOCOLS_AVAILABLE": "the server offers no TLS version that is safe",
    "TLSV1_ALERT_PROTOCOL_VERSION": "the server accepts no TLS version that is safe",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the server and appfleet have no cipher in common",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the server asks for a client certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the server refused the client certificate",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the server refused the client certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the server refused the client certificate: it has expired",
    "TLSV1_ALERT_UNKNOWN_CA": "the server does not know the authority of the client certificate",
}
_EXPIRED_CODES: Final = (9, 10)  # of OpenSSL: not yet valid, has expired
_VERIFY_WORDS: Final = {
    18: "it is self-signed",
    19: "a self-signed certificate in its chain is not a known authority",
    20: "its authority is not known",
    21: "its authority is not known",
}

_TLS_HINT: Final = (
    "Nothing was sent. If a proxy or firewall here replaces certificates, put its authority beside the public ones "
    "into one PEM file and name that file in AWS_CA_BUNDLE; otherwise find out who answers in place of the server"
)
_CLOCK_HINT: Final = (
    "Nothing was sent. Check the clock of this machine; if it is right, the server's owner has to renew"
)
_LASTING_HINT: Final = "Nothing was sent. Check --endpoint-url, AWS_ENDPOINT_URL and the proxy"
BUNDLE_HINT: Final = "Nothing was sent. Name a readable PEM file of certificate authorities, or unset it"


class UnusableBundleError(BotoCoreError):  # type: ignore[misc]  # the library has no types
    """Certificate authorities, or a client certificate, that cannot be read; nothing was sent."""

    fmt = "{what}"


@dataclass(frozen=True, slots=True)
class Bundle:
    """Certificate authorities: a PEM file and what named it. `origin` is empty for the default ones."""

    path: str
    origin: str

    def __str__(self) -> str:
        """Return it as messages show it."""
        return f"{self.path} ({self.origin or 'the default authorities'})"


def authorities_named(in_profile: str | None) -> str | bool:
    """Return what a client is to verify with: the file that the machine names, in the library's order, or True.

    `in_profile` is AWS_CA_BUNDLE, or else `ca_bundle` of the profile. Some libraries would verify nothing for an empty
    name, and others refuse it.
    """
    named = os.environ.get("REQUESTS_CA_BUNDLE") if in_profile is None else in_profile
    return named or True


def bundle_of(verify: object) -> Bundle:
    """Return the authorities for what the library calls `verify`: a path, or anything else for the default."""
    if not isinstance(verify, str) or not verify:
        return Bundle(str(get_cert_path(verify=True)), "")
    named = (name for name in _BUNDLE_VARIABLES if os.environ.get(name) == verify)
    return Bundle(verify, next(named, _BUNDLE_OF_PROFILE))


def proxy_bundle(settings: Mapping[str, object], otherwise: Bundle) -> tuple[Bundle, tuple[str | None, str | None]]:
    """Return the authorities for proxies that speak TLS, and the client's files for them.

    `settings` are the profile's proxy_ca_bundle and proxy_client_cert; without them a proxy is verified as servers are.
    """
    path, certificate = settings.get("proxy_ca_bundle"), settings.get("proxy_client_cert")
    bundle = Bundle(path, "`proxy_ca_bundle` of the AWS profile") if isinstance(path, str) and path else otherwise
    return bundle, (certificate if isinstance(certificate, str) and certificate else None, None)


def server_context(bundle: Bundle, client_files: tuple[str | None, str | None] = (None, None)) -> ssl.SSLContext:
    """Return the context for `bundle`, with the client's certificate and key where there are some.

    Raises UnusableBundleError. A file that was replaced is read again.
    """
    files = (bundle.path, *(name for name in client_files if name))
    return _context(bundle, client_files, tuple(_stamp(name, bundle) for name in files))


@lru_cache(maxsize=_CONTEXTS_KEPT_MAX_COUNT)
def _context(bundle: Bundle, client_files: tuple[str | None, str | None], _stamps: object) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # which checks the host's name and requires a certificate
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(cafile=bundle.path)
    except ssl.SSLError:
        raise UnusableBundleError(what=f"{_named(bundle)}, which holds no PEM certificates") from None
    except OSError as error:
        raise UnusableBundleError(what=f"{_named(bundle)}, which cannot be read: {error.strerror}") from None
    certificate, key = client_files
    if certificate:
        try:
            context.load_cert_chain(certificate, key)
        except OSError as error:  # an SSLError is one too
            why = error.strerror or type(error).__name__
            raise UnusableBundleError(what=f"The client certificate {certificate} cannot be used: {why}") from None
    return context


def _stamp(path: str, bundle: Bundle) -> tuple[int, int, int]:
    try:
        found = os.stat(path)  # noqa: PTH116 - of a path that may be no text that a Path takes
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not a path"
        what = _named(bundle) if path == bundle.path else f"The client certificate or key is {path}"
        missing = isinstance(error, FileNotFoundError)
        tail = "which does not exist" if missing else f"which cannot be read: {why}"
        raise UnusableBundleError(what=f"{what}, {tail}") from None
    if stat.S_ISFIFO(found.st_mode):  # reading it would wait for a writer, with everything else
        what = _named(bundle) if path == bundle.path else f"The client certificate or key is {path}"
        raise UnusableBundleError(what=f"{what}, which is a pipe, not a regular file")
    return found.st_ino, found.st_size, found.st_mtime_ns


def _named(bundle: Bundle) -> str:
    return f"{bundle.origin} names {bundle.path}" if bundle.origin else f"The default authorities are in {bundle.path}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a connection cannot be made secure, for as long as nobody changes something."""

    message: str
    hint: str


def lasting_refusal(error: aws.SSLError) -> Refusal | None:
    """Return why no connection of this kind can succeed, or None where a later one may."""
    cause = error.kwargs.get("error")
    bundle = error.kwargs.get("bundle") or bundle_of(None)
    where = _server_of(cause) or str(error.kwargs.get("endpoint_url", "the server"))
    found = getattr(cause, "certificate_error", cause)
    if isinstance(found, ssl.SSLCertVerificationError):
        why = _VERIFY_WORDS.get(found.verify_code) or found.verify_message or "it was refused"
        return Refusal(
            f"Cannot trust the certificate of {where}: {why.rstrip('.')}; authorities in use: {bundle}",
            _CLOCK_HINT if found.verify_code in _EXPIRED_CODES else _TLS_HINT,
        )
    reason = getattr(found, "reason", None) or getattr(getattr(found, "os_error", None), "reason", None)
    words = _LASTING_REASONS.get(reason or "")
    return None if words is None else Refusal(f"Cannot connect securely to {where}: {words}", _LASTING_HINT)


def _server_of(cause: object) -> str:
    """Name who failed to prove itself: behind a proxy that speaks TLS it is one of two."""
    if not isinstance(cause, aiohttp.ClientConnectorError):
        return ""
    return f"{cause.host}:{cause.port}"


def certificate_error_in(error: BaseException) -> ssl.SSLCertVerificationError | None:
    """Return the refused certificate that `error` came from, however many errors were raised on top of it."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, ssl.SSLCertVerificationError):
        found = found.__cause__ or found.__context__
    return found
