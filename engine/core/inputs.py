"""The names under which a plan holds the files that it was made from.

A file of the fleet has its path below the fleet's folder. One of an organization has a name that no path can have, and
that does not depend on where the folder is: a plan may be applied on another machine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Final

_MARK: Final = "//"


def organization_input(number: int, inside: str) -> str:
    """Return the name of a file in the folder of an organization; folders are counted from 0."""
    return f"organization{'' if number == 0 else f'-{number + 1}'}{_MARK}{inside}"


def of_organization(inputs: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the inputs that are an organization's, sorted."""
    return tuple(sorted(pair for pair in inputs if _MARK in pair[0]))


def digest_of(inputs: Iterable[tuple[str, str]]) -> str:
    """Return `sha256:` and 64 hexadecimal digits over files and their digests; empty for none."""
    pairs = list(inputs)
    return f"sha256:{hashlib.sha256(json.dumps(pairs).encode()).hexdigest()}" if pairs else ""
