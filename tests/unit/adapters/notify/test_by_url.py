"""What of a receiver's URL is secret: every part but the host that it is sent to."""

from __future__ import annotations

import pytest

from engine.adapters.notify.by_url import secrets_of


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("slack://TokenA/TokenB/TokenC/#ops", ["TokenA", "TokenB", "TokenC", "ops"]),
        ("json://user:word@hooks.example.com:8443/abc", ["user", "word", "8443", "abc"]),
        # A token may have the form of a host: only where a host stands is it one.
        ("json://hooks.example.com/abcdef.ghijkl", ["abcdef.ghijkl"]),
        ("json://hooks.example.com/x?token=a.bcdef", ["x", "token", "a.bcdef"]),
        ("json://localhost/secret%2Fword", ["secret%2Fword", "secret/word"]),
        ("TokenA/TokenB", ["TokenA", "TokenB"]),
    ],
)
def test_every_part_but_the_host_is_secret(url: str, secrets: list[str]) -> None:
    assert secrets_of(url) == secrets
