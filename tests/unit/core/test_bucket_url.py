"""Addresses in a bucket, and what is none."""

from __future__ import annotations

import pytest

from engine.core.bucket_url import BucketUrl, parse_bucket_url, safe_name
from engine.core.errors import UsageError
from engine.core.limits import BUCKET_PREFIX_MAX_CHARS


@pytest.mark.parametrize(
    ("text", "bucket", "prefix"),
    [
        ("s3://acme-appfleet", "acme-appfleet", ""),
        ("s3://acme-appfleet/", "acme-appfleet", ""),
        ("s3://acme.appfleet/prod", "acme.appfleet", "prod/"),
        ("s3://acme-appfleet/ml/prod/", "acme-appfleet", "ml/prod/"),
    ],
)
def test_an_address_is_a_bucket_and_a_prefix(text: str, bucket: str, prefix: str) -> None:
    url = parse_bucket_url(text)
    assert url == BucketUrl(bucket, prefix)
    assert str(url) == text.rstrip("/")


@pytest.mark.parametrize("text", [".appfleet", "/var/lib/appfleet", "../s3", "s3", "./s3:/a", "a b"])
def test_anything_without_a_scheme_is_a_folder(text: str) -> None:
    assert parse_bucket_url(text) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gs://acme/prod", "is not an address that appfleet knows"),
        ("s3:/acme/prod", "is not an address that appfleet knows"),
        ("s3:acme", "is not an address that appfleet knows"),
        ("S3://acme/x", "is not an address that appfleet knows"),
        ("s3://ann:hunter2@acme/x", "holds no user name and no password"),
        ("s3://", "is not a valid name of a bucket"),
        ("s3://Acme/prod", "is not a valid name of a bucket"),
        ("s3://ab", "is not a valid name of a bucket"),
        ("s3://acme/a//b", "empty part"),
        ("s3://acme//b", "empty part"),
        ("s3://acme/../b", "empty part"),
        ("s3://acme/a b", "characters other than"),
        ("s3://acme/" + "a" * (BUCKET_PREFIX_MAX_CHARS + 1), f"more than {BUCKET_PREFIX_MAX_CHARS} characters"),
    ],
)
def test_a_wrong_address_is_refused_with_what_to_write(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        parse_bucket_url(text)
    assert "s3://BUCKET/PREFIX" in refused.value.hint


def test_a_fleet_is_named_by_its_name_where_that_is_safe_and_by_a_hash_elsewhere() -> None:
    assert safe_name("ml-platform_2") == "ml-platform_2"
    hashed = {safe_name(name) for name in ("a/b", "../x", "ü", "", "a" * 65)}
    assert len(hashed) == 5
    assert all(len(name) == 32 and name.isalnum() for name in hashed)
