"""A laboratory of TLS: authorities and certificates made for one test run, servers and proxies that use them.

Everything listens on loopback. A name such as api.sagemaker.eu-west-1.amazonaws.com is reached through a proxy that
leads every CONNECT to the one server of the test, as a man in the middle would.
"""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import ipaddress
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.loopback import listening

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

DAY = dt.timedelta(days=1)
AWS_HOSTS = ("*.amazonaws.com", "*.eu-west-1.amazonaws.com", "*.sagemaker.eu-west-1.amazonaws.com")


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


@dataclass(frozen=True)
class Identity:
    """A certificate and its key, in one PEM file."""

    path: Path

    def server(self, clients: Path | None = None) -> ssl.SSLContext:
        """Return a server's context; with `clients` it asks for a certificate of theirs."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path)
        if clients is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(clients)
        return context


class Authority:
    """Issues certificates. `bundle` is what trusts them."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._issued = 0
        built = self._builder(_name(name), self._key.public_key(), DAY).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self.bundle = folder / f"{name}.pem"
        self.bundle.write_bytes(built.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, lasts: dt.timedelta, issuer: str = ""
    ) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(_name(issuer or self._name))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 30 * DAY)
            .not_valid_after(now + lasts)
        )

    def issue(self, *hosts: str, lasts: dt.timedelta = DAY) -> Identity:
        """Issue a certificate for `hosts`; one that lasts less than nothing has expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([_alternative(host) for host in hosts])
        built = self._builder(_name(hosts[0]), key.public_key(), lasts).add_extension(names, critical=False)
        self._issued += 1
        return self._written(f"{self._name}-{self._issued}", built.sign(self._key, hashes.SHA256()), key)

    def _written(self, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Identity:
        path = self._folder / f"{name}.pem"
        path.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return Identity(path)

    def itself(self, host: str) -> Identity:
        """Issue a certificate that nobody but itself vouches for."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([_alternative(host)])
        built = self._builder(_name(host), key.public_key(), DAY, issuer=host).add_extension(names, critical=False)
        self._issued += 1
        return self._written(f"self-{self._issued}", built.sign(key, hashes.SHA256()), key)


@dataclass
class Proxy:
    """What a proxy saw. `bare` counts requests that were not CONNECT: what they held lay open."""

    url: str = ""
    asked: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    bare: int = 0


@asynccontextmanager
async def proxy_to(
    port: int, *, context: ssl.SSLContext | None = None, host: str = "127.0.0.1", password: str = "", status: int = 200
) -> AsyncIterator[Proxy]:
    """Serve a proxy on loopback that leads every CONNECT to `port`.

    With `password` it asks for user `ops` with that password; a `status` but 200 is its answer to everything.
    """
    state = Proxy()
    wanted = "Basic " + base64.b64encode(f"ops:{password}".encode()).decode()

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            state.heads.append(head)
            method, target, _ = head.split(" ", 2)
            state.asked.append(target)
            if method != "CONNECT":
                state.bare += 1
            if password and wanted not in head:
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            elif status != 200 or method != "CONNECT":
                writer.write(f"HTTP/1.1 {status} Refused\r\nContent-Length: 0\r\n\r\n".encode())
            else:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", port)
                try:
                    await asyncio.gather(_pump(reader, behind_writer), _pump(behind_reader, writer))
                finally:
                    behind_writer.close()
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, ssl.SSLError):
            return

    async with listening(lead, context) as listening_at:
        state.url = f"{'https' if context else 'http'}://{host}:{listening_at}"
        yield state


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while part := await reader.read(65_536):
        writer.write(part)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
    else:
        writer.close()
