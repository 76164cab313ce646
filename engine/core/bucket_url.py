"""An address in a bucket, `s3://BUCKET/PREFIX`, in the place of a folder: for a shared state, and for reports.

Not here: what is kept there, and how it is reached.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from engine.core.errors import UsageError
from engine.core.limits import BUCKET_PREFIX_MAX_CHARS
from engine.core.text import clean

_SCHEME: Final = "s3://"
# The rules of Amazon S3 for names of buckets, without its reserved ones, which the service refuses itself.
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# What S3 calls safe in every tool, and nothing that a shell or a URL reads otherwise.
_PREFIX: Final = re.compile(r"[A-Za-z0-9_.=+-]+(/[A-Za-z0-9_.=+-]+)*")
_ANY_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")
_SAFE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class BucketUrl:
    """A bucket and a prefix in it. `prefix` is empty, or ends with a slash."""

    bucket: str
    prefix: str

    def __str__(self) -> str:
        """Return the address as one types it."""
        return f"{_SCHEME}{self.bucket}/{self.prefix}".rstrip("/")


def parse_bucket_url(text: str, flag: str = "--state-dir", example: str = "prod") -> BucketUrl | None:
    """Return the address that a flag names, or None for a folder. Raises UsageError for a wrong address."""

    def wrong(what: str) -> UsageError:
        hint = f"Write s3://BUCKET/PREFIX, such as s3://acme-appfleet/{example}, or name a folder"
        return UsageError(f"{flag}: {what}", hint=hint)

    if "@" in text and _ANY_SCHEME.match(text):
        raise wrong("an address holds no user name and no password: the credentials are those of this shell")
    if not text.startswith(_SCHEME):
        if _ANY_SCHEME.match(text) or text.lower().startswith("s3:"):
            raise wrong(f"{clean(text, 120)} is not an address that appfleet knows")
        return None
    bucket, _, rest = text.removeprefix(_SCHEME).partition("/")
    prefix = rest.rstrip("/")
    if not _BUCKET.fullmatch(bucket):
        raise wrong(f"{clean(bucket, 80)!r} is not a valid name of a bucket")
    is_plain = not prefix or (_PREFIX.fullmatch(prefix) and not {".", ".."}.intersection(prefix.split("/")))
    if not is_plain or len(prefix) > BUCKET_PREFIX_MAX_CHARS:
        raise wrong(
            f"the prefix {clean(prefix, 80)!r} has an empty part, characters other than letters, digits and "
            f"_ . = + -, or more than {BUCKET_PREFIX_MAX_CHARS} characters"
        )
    return BucketUrl(bucket, f"{prefix}/" if prefix else "")


def safe_name(fleet: str) -> str:
    """Return what a fleet's lock file and objects are named: its own name where that is a safe one, else a hash."""
    if _SAFE_NAME.fullmatch(fleet):
        return fleet
    return hashlib.sha256(fleet.encode("utf-8", "surrogatepass")).hexdigest()[:32]
