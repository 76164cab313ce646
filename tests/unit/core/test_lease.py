"""What the object of a lease says, and what is not one."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from engine.core.lease import LeaseRecord, LeaseUnreadableError, parse_lease
from engine.core.limits import LEASE_GRACE_SECONDS, LEASE_RECORD_MAX_BYTES

RECORD = LeaseRecord(3, "appfleet apply on host a", "n-1", 7, is_held=True, ttl_s=60.0)


def test_what_is_written_is_read_again() -> None:
    assert parse_lease(RECORD.to_bytes()) == RECORD


def test_two_writes_are_never_the_same_bytes() -> None:
    assert RECORD.to_bytes() != replace(RECORD, count=8).to_bytes()


def test_a_held_lease_is_free_once_the_last_call_of_its_holder_is_over() -> None:
    assert RECORD.may_be_taken_in_s(10.0) == 50.0 + LEASE_GRACE_SECONDS
    assert RECORD.may_be_taken_in_s(60.0 + LEASE_GRACE_SECONDS) == 0.0


def test_one_that_was_given_back_is_free_at_once() -> None:
    assert replace(RECORD, is_held=False).may_be_taken_in_s(0.0) == 0.0


def test_what_a_holder_says_of_itself_cannot_speak_to_a_terminal() -> None:
    assert "\x1b" not in parse_lease(replace(RECORD, holder="a\x1b[2Jb").to_bytes()).holder


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 2}, "it is not a lease of format 1, which is all that this version reads"),
        ({"epoch": 0}, "epoch is not a whole number from 1"),
        ({"epoch": True}, "epoch is not a whole number from 1"),
        ({"count": 1.5}, "count is not a whole number from 1"),
        ({"holder": None}, "holder is not a text"),
        ({"nonce": 7}, "nonce is not a text"),
        ({"is_held": 1}, "is_held is neither true nor false"),
        ({"ttl_s": 0}, "ttl_s is not a number of seconds up to 3,600"),
        ({"ttl_s": 1e9}, "ttl_s is not a number of seconds up to 3,600"),
        ({"ttl_s": float("nan")}, "ttl_s is not a number of seconds up to 3,600"),
        ({"ttl_s": True}, "ttl_s is not a number of seconds up to 3,600"),
    ],
)
def test_a_lease_that_cannot_be_one_is_refused(change: dict[str, Any], said: str) -> None:
    data = json.dumps({**json.loads(RECORD.to_bytes()), **change}).encode()
    with pytest.raises(LeaseUnreadableError, match=said):
        parse_lease(data)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "it is not JSON"),
        (b"\xff\xfe", "it is not JSON"),
        (b"[" * 4_000, "it is not JSON"),
        (b"[]", "it is not a lease of format 1"),
        (b"x" * (LEASE_RECORD_MAX_BYTES + 1), "it is larger than 4,096 bytes"),
    ],
)
def test_what_is_no_lease_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(LeaseUnreadableError, match=said):
        parse_lease(data)
