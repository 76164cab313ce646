"""Credentials taken out of text before it is shown, logged or kept.

Two nets: values that are known to be secret are replaced wherever they stand, and what has the form of an access
key id is replaced although nobody named it. Fields are also judged by their name, since a value may be new.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from bisect import bisect
from collections.abc import Iterable, Mapping
from functools import lru_cache
from html import escape
from typing import Any, Final
from urllib.parse import quote, quote_plus

from engine.core.text import REDACTED

CREDENTIAL_VARIABLES: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
# Shorter values are words that stand in ordinary text; replacing them would hide nothing and ruin messages.
SECRET_MIN_CHARS: Final = 8

_BASE64_BYTES: Final = 3  # of base64: four characters for three bytes
_BASE64_BITS: Final = 6
_BYTE_BITS: Final = 8
_WORD_BYTES: Final = 4
_ESCAPE: Final = re.compile(r"(?:%25)*%[0-9A-F]{2}")
_NOT_PLAIN: Final = re.compile(r"[^A-Za-z0-9]")
_ACCESS_KEY_ID: Final = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,124}\b")
# A name of a flag, alone or with its value behind it, and what could be taken for one or for a part of one.
_FLAG: Final = re.compile(r"(?<![^\s'\"`(\[])(--[a-z]+(?:-[a-z]+)*)(?![\w/+%-])")
_WORD: Final = re.compile(r"[a-z-]+")
_SECRET_NAME: Final = re.compile(
    r"secret|password|passwd|credential|authorization|signature|private[_-]?key|access[_-]?key|(?:session|security)[_-]?token",
    re.IGNORECASE,
)


def known_secrets(environment: Mapping[str, str]) -> list[str]:
    """Return the credentials that stand in an environment."""
    return [environment[name] for name in CREDENTIAL_VARIABLES if environment.get(name)]


class Redactor:
    """Replaces what is secret. `values` are the secrets that are known: they may grow as credentials change.

    A secret is found in whatever form an answer repeats it: as it is, URL-encoded (once or twice), escaped for JSON or
    HTML, in base64 and in hexadecimal. The first characters of one, wherever they stand, are what somebody left who cut
    it, and go too. So whoever cuts a text cuts it after this. Names of flags stay: a command has to be typed again.

    None is ever forgotten: an older one may still be on its way into a text. So a text is not searched for each of
    them, but each of its words of four bytes is looked up among those of all heads. What that costs follows from the
    length of the text alone; the forms of a secret are written out when a text first holds the head of one.
    """

    __slots__ = ("_heads", "_sizes", "_values", "_words")

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values: set[str] = set()
        self._heads: dict[bytes, _Alike] = {}
        self._sizes: frozenset[int] = frozenset()  # of heads, in bytes
        self._words: set[int] = set()
        self.learn(values)

    def learn(self, values: Iterable[str]) -> None:
        """Add secrets. What is known already costs nothing more."""
        for value in values:
            if len(value) >= SECRET_MIN_CHARS and value not in self._values:
                self._values.add(value)
                for head in _heads_of(value):
                    self._add(head, value)

    def _add(self, head: str, value: str) -> None:
        raw = head.encode()
        alike = self._heads.get(raw)
        if alike is None:
            alike = self._heads[raw] = _Alike(head)
            self._sizes |= {len(raw)}
            # Wherever the head stands in a text, one of its first words begins at a multiple of four.
            self._words.update(_words(raw[first:])[0] for first in range(_WORD_BYTES))
        alike.add(value)

    def text(self, text: str) -> str:
        """Return `text` without known secrets and without access key ids."""
        near = self._near(text)
        if near:
            text = _without_secrets(text, near)
        if "AKIA" in text or "ASIA" in text:  # the search alone would cost more than the rest of a log line
            text = _ACCESS_KEY_ID.sub(REDACTED, text)
        return text

    def answer(self, answer: Any) -> Any:
        """Return what a service answered without known secrets, also in names of fields; the same where it has none."""
        if not self._heads:
            return answer
        texts: list[str] = []
        _gather(answer, texts)
        # One search through all of it: an answer seldom holds any.
        return self._cleaned(answer) if self._near("\n".join(texts)) else answer

    def _near(self, text: str) -> list[_Alike]:
        """Return the heads that stand in `text`, sorted."""
        if len(text) < SECRET_MIN_CHARS:
            return []
        raw = text.encode("utf-8", "surrogatepass")
        words = _words(raw)
        if self._words.isdisjoint(words):
            return []
        found: set[bytes] = set()
        for place, word in enumerate(words):
            if word in self._words:
                at = place * _WORD_BYTES
                for start in range(max(at - _WORD_BYTES + 1, 0), at + 1):
                    found.update(raw[start : start + size] for size in self._sizes)
        return [self._heads[head] for head in sorted(found & self._heads.keys())]

    def _cleaned(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self._cleaned(name): self._cleaned(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self._cleaned(item) for item in value]
        return value


def forms_of(secret: str) -> frozenset[str]:
    """Return `secret` in every form in which an answer may repeat it."""
    urls = {quote(secret, safe=""), quote(secret, safe="/"), quote_plus(secret)}
    urls |= {quote(url, safe="") for url in urls}
    urls |= {_ESCAPE.sub(lambda found: found[0].lower(), url) for url in urls}
    escaped = json.dumps(secret)[1:-1]
    # A form decoder makes a blank of a plus.
    written = {secret, escaped, escaped.replace("/", "\\/"), escape(secret), secret.replace("+", " ")}
    written |= {
        _NOT_PLAIN.sub(lambda found: f"\\u{ord(found[0]):04x}", secret),
        _NOT_PLAIN.sub(lambda found: f"\\u{ord(found[0]):04X}", secret),
    }
    raw = secret.encode()
    encoded = {raw.hex(), raw.hex().upper()} | {form for skip in range(_BASE64_BYTES) for form in _in_base64(raw, skip)}
    return frozenset(form for form in urls | written | encoded if len(form) >= SECRET_MIN_CHARS)


class _Alike:
    """The forms that begin with one head. They are written out when they are first asked for: few heads ever are."""

    __slots__ = ("_forms", "_longest", "_new", "head")

    def __init__(self, head: str) -> None:
        self.head = head
        self._forms: list[str] = []
        self._longest = 0
        self._new: list[str] = []

    def add(self, secret: str) -> None:
        """Add the forms of a secret."""
        self._new.append(secret)

    @property
    def forms(self) -> list[str]:
        """All of them, sorted."""
        if self._new:
            forms = {form for secret in self._new for form in forms_of(secret) if form.startswith(self.head)}
            self._forms = sorted(forms.union(self._forms))
            self._longest = max(map(len, self._forms))
            self._new = []
        return self._forms

    def shared(self, text: str, at: int) -> int:
        """Return how many characters of a form, whose head stands there, follow each other in `text` from `at` on.

        Of the form of which most do: none has more in common with a text than one of its two neighbours in the order.
        """
        forms = self.forms
        place = bisect(forms, text[at : at + self._longest])
        return max(_shared(form, text, at) for form in forms[max(place - 1, 0) : place + 1])


def _without_secrets(text: str, near: list[_Alike]) -> str:
    """Return `text` without the forms that begin with one of `near`, whole ones first: a head is what is left."""
    # The longest form first, so that no piece of it is left over.
    whole = (form for alike in near for form in alike.forms if form in text)
    forms = sorted(whole, key=lambda form: (-len(form), form))
    words = [form for form in forms if _WORD.fullmatch(form)]
    for form in forms:
        if form not in words:
            text = text.replace(form, REDACTED)
    pieces = _FLAG.split(text)  # every second one is the name of a flag
    for at in range(0, len(pieces), 2):
        for word in words:
            pieces[at] = pieces[at].replace(word, REDACTED)
        for alike in near:
            pieces[at] = _without_heads(pieces[at], alike)
    return "".join(pieces)


def _without_heads(text: str, alike: _Alike) -> str:
    """Return `text` without each piece that begins as these forms do, as far as one of them goes."""
    pieces: list[str] = []
    start = 0
    while (at := text.find(alike.head, start)) >= 0:  # what is read is left out: this takes no longer than the text
        pieces += (text[start:at], REDACTED)
        start = at + alike.shared(text, at)
    pieces.append(text[start:])
    return "".join(pieces)


def _shared(form: str, text: str, at: int) -> int:
    """Return how many characters of `form`, whose head stands there, follow each other in `text` from `at` on."""
    length = SECRET_MIN_CHARS
    while length < len(form) and text.startswith(form[length], at + length):
        length += 1
    return length


def _heads_of(secret: str) -> frozenset[str]:
    """Return how the forms of `secret` begin: none makes fewer characters of its first ones than they are."""
    return frozenset(form[:SECRET_MIN_CHARS] for form in forms_of(secret[:SECRET_MIN_CHARS]))


def _words(raw: bytes) -> memoryview[int]:
    """Return `raw` as words of four bytes, without what is left over at its end."""
    return memoryview(raw)[: len(raw) // _WORD_BYTES * _WORD_BYTES].cast("I")


def _in_base64(raw: bytes, skip: int) -> tuple[str, str]:
    """Return what stands for `raw` alone in the base64 of a text that has `skip` bytes (of three) before it."""
    whole = b64encode(b"\0" * skip + raw).decode()
    first = -(-skip * _BYTE_BITS // _BASE64_BITS)  # what holds bits of the bytes before
    last = (skip + len(raw)) * _BYTE_BITS // _BASE64_BITS  # from here on: bits of the bytes behind, or padding
    core = whole[first:last]
    return core, core.replace("+", "-").replace("/", "_")


def _gather(value: Any, texts: list[str]) -> None:
    if isinstance(value, str):
        if len(value) >= SECRET_MIN_CHARS:
            texts.append(value)
    elif isinstance(value, dict):
        for name, item in value.items():
            _gather(name, texts)
            _gather(item, texts)
    elif isinstance(value, list):
        for item in value:
            _gather(item, texts)


@lru_cache(maxsize=1_024)
def is_secret_name(name: str) -> bool:
    """Whether a field of this name holds a credential, whatever its value."""
    return _SECRET_NAME.search(name) is not None
