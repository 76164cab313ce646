"""The gate: many callers, one refresh, and one clear end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest
from botocore.exceptions import ClientError, MetadataRetrievalError

from engine.adapters.aws.credentials import CredentialGate, GateTimes
from engine.core.errors import CredentialsFailed
from engine.core.redact import Redactor

pytestmark = pytest.mark.looptime

TIMES = GateTimes(attempt_max=15, refresh_max=60, retry_pause=2, look_every=5, last_use=60, failure_kept=30)


@dataclass(frozen=True, slots=True)
class Frozen:
    access_key: str
    secret_key: str = "secret-of-a-test"
    token: str | None = None
    account_id: str | None = "111122223333"


class Source:
    """Credentials that last `lasts` seconds of the loop from each refresh; `error` is what a refresh raises."""

    def __init__(self, lasts: float = 3600.0) -> None:
        self.lasts = lasts
        self.expires = 0.0
        self.refreshes = 0
        self.takes = 0.0
        self.error: Exception | None = None

    def refresh_needed(self, seconds: float = 900.0) -> bool:
        return self.expires - asyncio.get_running_loop().time() < seconds

    async def get_frozen_credentials(self) -> Frozen:
        if self.refresh_needed():
            self.refreshes += 1
            await asyncio.sleep(self.takes)
            if self.error is not None:
                raise self.error
            self.expires = asyncio.get_running_loop().time() + self.lasts
        return Frozen(f"AKIA{self.refreshes:016}")


def gate_of(source: Source, redactor: Redactor | None = None) -> CredentialGate:
    return CredentialGate(source, redactor or Redactor(), TIMES)


def refused() -> ClientError:
    details = {"Error": {"Code": "AccessDenied", "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
    return ClientError(details, "AssumeRole")


async def test_fifty_callers_make_one_refresh() -> None:
    """Row 19."""
    source = Source()
    source.takes = 1.0
    gate = gate_of(source)
    keys = await asyncio.gather(*(gate.get_frozen_credentials() for _ in range(50)))
    assert len(set(keys)) == 1
    assert source.refreshes == 1


async def test_they_are_renewed_before_they_expire() -> None:
    source = Source()
    gate = gate_of(source)
    first = await gate.get_frozen_credentials()
    await asyncio.sleep(2000)
    assert await gate.get_frozen_credentials() == first
    await asyncio.sleep(800)
    assert await gate.get_frozen_credentials() != first


async def test_what_lasts_is_used_while_one_refreshes() -> None:
    source = Source()
    gate = gate_of(source)
    first = await gate.get_frozen_credentials()
    await asyncio.sleep(3000)
    source.takes = 10.0
    renewing = asyncio.create_task(gate.get_frozen_credentials())
    await asyncio.sleep(1)
    start = asyncio.get_running_loop().time()
    assert await gate.get_frozen_credentials() == first
    assert asyncio.get_running_loop().time() == start
    assert await renewing != first


async def test_a_refresh_that_fails_early_costs_nothing() -> None:
    """Row 19."""
    source = Source()
    gate = gate_of(source)
    first = await gate.get_frozen_credentials()
    await asyncio.sleep(3000)
    source.error = refused()
    assert await gate.get_frozen_credentials() == first
    assert await gate.get_frozen_credentials() == first
    assert source.refreshes == 2, "the expiry is not looked at before some seconds have passed"


async def test_one_refusal_is_told_to_all() -> None:
    source = Source()
    source.takes = 1.0
    source.error = refused()
    gate = gate_of(source)
    failures = await asyncio.gather(*(gate.get_frozen_credentials() for _ in range(50)), return_exceptions=True)
    assert all(isinstance(failure, CredentialsFailed) for failure in failures)
    assert len({id(failure) for failure in failures}) == 50
    assert source.refreshes == 1


async def test_what_may_pass_is_tried_again_in_bounded_time() -> None:
    source = Source()
    gate = gate_of(source)
    await gate.get_frozen_credentials()
    await asyncio.sleep(4000)
    source.error = MetadataRetrievalError(error_msg="metadata is away")
    start = asyncio.get_running_loop().time()
    with pytest.raises(CredentialsFailed, match="metadata is away"):
        await gate.get_frozen_credentials()
    assert 20 <= asyncio.get_running_loop().time() - start <= TIMES.refresh_max
    assert source.refreshes == 6


async def test_what_passes_is_forgotten() -> None:
    source = Source()
    gate = gate_of(source)
    await gate.get_frozen_credentials()
    await asyncio.sleep(4000)
    source.error = TimeoutError()

    async def mend() -> None:
        await asyncio.sleep(5)
        source.error = None

    mending = asyncio.create_task(mend())
    assert await gate.get_frozen_credentials()
    await mending


async def test_an_attempt_that_hangs_is_ended() -> None:
    source = Source()
    source.takes = 10_000.0
    with pytest.raises(CredentialsFailed):
        await gate_of(source).get_frozen_credentials()
    assert asyncio.get_running_loop().time() == pytest.approx(TIMES.attempt_max)


async def test_a_failure_is_asked_about_again_later() -> None:
    source = Source()
    source.error = refused()
    gate = gate_of(source)
    for _ in range(3):
        with pytest.raises(CredentialsFailed):
            await gate.get_frozen_credentials()
    assert source.refreshes == 1
    await asyncio.sleep(31)
    source.error = None
    assert await gate.get_frozen_credentials()


async def test_every_secret_is_known_to_the_redactor() -> None:
    redactor = Redactor()
    await gate_of(Source(), redactor).get_frozen_credentials()
    assert redactor.text("a secret-of-a-test b") == "a [redacted] b"
