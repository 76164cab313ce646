"""Objects of a bucket over loopback HTTP: an S3 that keeps conditions, one that ignores them, and odd answers."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from engine.adapters.aws.sessions import Clouds
from engine.adapters.aws.signing import signed_by
from engine.core.errors import (
    AccessDenied,
    CloudError,
    NotFound,
    OutcomeUnknown,
    Rejected,
    StateError,
    Throttled,
    Unreachable,
)
from engine.executor.lease import Lease, LeaseHeldError
from engine.executor.store_probe import PROBE_NAME, probe
from engine.ports.objects import WriteRefusedError
from tests.object_server import object_server
from tests.unit.adapters.aws.hostile import FAST_TIMES, Request, desired, free_port, hostile, http

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from engine.adapters.aws.objects import S3Objects

BUCKET = "states-of-fleets"
DATE = "Date: Mon, 30 Nov 2026 14:00:10 GMT"
MODIFIED = "Last-Modified: Mon, 30 Nov 2026 14:00:00 GMT"
TAG = 'ETag: "a"'


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with object_server() as url:
        yield url


@asynccontextmanager
async def objects(url: str, prefix: str = "prod/") -> AsyncIterator[S3Objects]:
    async with Clouds(endpoint_url=url, gate_times=FAST_TIMES) as clouds:
        yield await clouds.objects(desired(), BUCKET, prefix)


@asynccontextmanager
async def in_bucket(url: str, prefix: str) -> AsyncIterator[S3Objects]:
    async with objects(url, prefix) as found:
        with signed_by(found._credentials):
            await found._s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        yield found


async def test_a_version_is_written_once_and_replaced_by_its_name_alone(server: str) -> None:
    async with in_bucket(server, "versions/") as store:
        assert await store.get("a") is None
        first = await store.put("a", b"one", replaces=None)
        for wrong in (None, '"0123"'):
            with pytest.raises(WriteRefusedError):
                await store.put("a", b"two", replaces=wrong)
        with pytest.raises(WriteRefusedError):
            await store.put("b", b"two", replaces=first)
        second = await store.put("a", b"two", replaces=first)
        found = await store.get("a")
        assert found is not None
        assert (found.data, found.tag) == (b"two", second)
        assert 0.0 <= found.age_s < 3_600.0
        assert found.modified > 1_700_000_000.0


async def test_names_are_those_below_the_prefix_and_sorted_over_all_pages(server: str) -> None:
    async with in_bucket(server, "many/") as store, objects(server, "other/") as other:
        await other.put("x", b"", replaces=None)
        for first in range(0, 1_005, 15):
            await asyncio.gather(*(store.put(f"lanes/{first + n:04}", b"", replaces=None) for n in range(15)))
        assert await store.names("lanes/") == tuple(f"lanes/{number:04}" for number in range(1_005))
        assert await store.names("runs/") == ()


async def test_of_many_that_write_at_once_one_wins(server: str) -> None:
    async with in_bucket(server, "race/") as store:
        tag = await store.put("a", b"", replaces=None)

        async def wins(number: int) -> bool:
            try:
                await store.put("a", str(number).encode(), replaces=tag)
            except (WriteRefusedError, Throttled):
                return False
            return True

        assert sum(await asyncio.gather(*(wins(number) for number in range(16)))) == 1


async def test_a_lease_is_kept_and_followed_over_http(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LEASE_RENEW_SECONDS", "LEASE_POLL_SECONDS"):  # that the holder is alive shows by its next renewal
        monkeypatch.setattr(f"engine.executor.lease.{name}", 0.2)
    async with in_bucket(server, "lease/") as store:
        clock = asyncio.get_running_loop().time
        first = Lease(store, "lease.json", holder="host a", nonce="a", since_boot=clock)
        await first.acquire()
        second = Lease(store, "lease.json", holder="host b", nonce="b", since_boot=clock)
        async with first.kept():
            with pytest.raises(LeaseHeldError) as refused:
                await second.acquire()
            assert refused.value.holder == "host a"
        await second.acquire()
        assert (second.epoch, second.silent_s) == (2, None)


async def test_a_store_that_keeps_conditions_passes_the_probe_each_time(server: str) -> None:
    async with in_bucket(server, "probe/") as store:
        await probe(store, "s3://states")
        await probe(store, "s3://states")
        assert await store.names("") == (PROBE_NAME,)


async def test_a_bucket_that_is_not_there_is_no_missing_object(server: str) -> None:
    async with Clouds(endpoint_url=server, gate_times=FAST_TIMES) as clouds:
        store = await clouds.objects(desired(), "nobodys-bucket", "")
        for call in (lambda: store.get("a"), lambda: store.put("a", b"", replaces=None), lambda: store.names("")):
            with pytest.raises(NotFound, match="bucket nobodys-bucket does not exist"):
                await call()


async def test_a_store_that_takes_every_write_fails_the_probe() -> None:
    async with hostile(http(b"", 200, TAG, DATE)) as there, objects(there.url) as store:
        with pytest.raises(StateError, match="s3://states accepts a write although its condition"):
            await probe(store, "s3://states")


async def test_a_store_that_ignores_if_match_alone_fails_the_probe() -> None:
    async def answer(request: Request) -> bytes:
        if request.headers.get("if-none-match"):
            return refusal(412, "PreconditionFailed")
        return http(b"", 200, TAG, DATE)

    async with hostile(answer) as there, objects(there.url) as store:
        with pytest.raises(StateError, match="If-Match"):
            await probe(store, "s3://states")


def refusal(status: int, code: str) -> bytes:
    return http(f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode(), status, DATE)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "AccessDenied", AccessDenied),
        (409, "ConditionalRequestConflict", Throttled),
        (503, "SlowDown", Throttled),
        (500, "InternalError", OutcomeUnknown),
    ],
)
async def test_what_a_refused_write_means(status: int, code: str, kind: type[CloudError]) -> None:
    async with hostile(refusal(status, code)) as there, objects(there.url) as store:
        with pytest.raises(kind) as refused:
            await store.put("a", b"", replaces=None)
    assert ("s3:PutObject" in refused.value.hint) is (kind is AccessDenied)


async def test_a_bucket_of_another_region_is_named_with_what_to_set() -> None:
    async with hostile(refusal(400, "AuthorizationHeaderMalformed")) as there, objects(there.url) as store:
        with pytest.raises(Rejected, match="is in another region than eu-west-1") as refused:
            await store.put("a", b"", replaces=None)
    assert "AWS_REGION" in refused.value.hint


RULE = b"<LifecycleConfiguration><Rule><ID>r</ID><Status>Enabled</Status>%b</Rule></LifecycleConfiguration>"
EXPIRES = b"<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>"


@pytest.mark.parametrize(
    ("versioning", "rules", "grows"),
    [
        (b"", http(RULE % b"", 200, DATE), False),
        (b"<Status>Suspended</Status>", http(RULE % b"", 200, DATE), False),
        (b"<Status>Enabled</Status>", http(RULE % b"", 200, DATE), True),
        (b"<Status>Enabled</Status>", http(RULE % EXPIRES, 200, DATE), False),
        (b"<Status>Enabled</Status>", "NoSuchLifecycleConfiguration", True),
    ],
)
async def test_a_bucket_that_grows_without_end_is_known(versioning: bytes, rules: bytes | str, grows: bool) -> None:
    async def answer(request: Request) -> bytes:
        if "versioning" in request.target:
            return http(b"<VersioningConfiguration>%b</VersioningConfiguration>" % versioning, 200, DATE)
        return rules if isinstance(rules, bytes) else refusal(404, rules)

    async with hostile(answer) as there, objects(there.url) as store:
        assert await store.keeps_old_versions() is grows


async def test_whoever_may_not_read_a_buckets_rules_is_told() -> None:
    async with hostile(refusal(403, "AccessDenied")) as there, objects(there.url) as store:
        with pytest.raises(AccessDenied):
            await store.keeps_old_versions()


async def test_an_object_that_is_too_large_is_not_read() -> None:
    large = http(b"", 200, TAG, MODIFIED, DATE).replace(b"Content-Length: 0", b"Content-Length: 64000001")
    async with hostile(large) as there, objects(there.url) as store:
        with pytest.raises(OutcomeUnknown, match="more than 64,000,000 bytes"):
            await store.get("a")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (http(b"x", 200, MODIFIED, DATE), "ETag is missing"),
        (http(b"", 200, "ETag: " + "a" * 300, MODIFIED, DATE), "ETag is missing"),
        (http(b"", 200, TAG, MODIFIED), "the header Date is missing"),
        (http(b"", 200, TAG, MODIFIED, "Date: yesterday"), "the header Date is missing"),
        (http(b"", 200, TAG, DATE), "LastModified is missing"),
    ],
)
async def test_an_answer_that_lacks_what_a_lease_rests_on_is_none(answer: bytes, said: str) -> None:
    async with hostile(answer) as there, objects(there.url) as store:
        with pytest.raises(OutcomeUnknown, match=said):
            await store.get("a")


async def test_a_listing_that_does_not_say_where_it_goes_on_is_none() -> None:
    body = b"<ListBucketResult><IsTruncated>true</IsTruncated><Contents><Key>prod/a</Key></Contents></ListBucketResult>"
    async with hostile(http(body, 200, DATE)) as there, objects(there.url) as store:
        with pytest.raises(OutcomeUnknown, match="continues and does not say where"):
            await store.names("")


async def test_a_row_of_another_prefix_is_no_answer() -> None:
    body = (
        b"<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>theirs/a</Key></Contents></ListBucketResult>"
    )
    async with hostile(http(body, 200, DATE)) as there, objects(there.url) as store:
        with pytest.raises(OutcomeUnknown, match="another prefix"):
            await store.names("")


@pytest.mark.parametrize("body", [b"<html>login</html>", b"<ListBucketResult></ListBucketResult>"])
async def test_a_page_in_place_of_a_listing_is_no_empty_bucket(body: bytes) -> None:
    async with hostile(http(body, 200, DATE)) as there, objects(there.url) as store:
        with pytest.raises(OutcomeUnknown, match="is not a listing"):
            await store.names("")


async def test_nobody_listens() -> None:
    async with objects(f"http://127.0.0.1:{free_port()}") as store:
        with pytest.raises(Unreachable):
            await store.get("a")
