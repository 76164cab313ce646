"""Who an app is: its key, its owner, the lane it is called in and the quota bucket it fills.

Not here: what an app should be (`desired`) or is (`observed`).
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from engine.core.errors import UsageError
from engine.core.limits import KEY_SHOWN_MAX_CHARS
from engine.core.text import clean

OwnerKind = Literal["user", "space"]

USER: Final = "user"
SPACE: Final = "space"
OWNER_KINDS: Final[tuple[OwnerKind, ...]] = (SPACE, USER)

KEY_PARTS: Final = 5
OWNER_KEY_PARTS: Final = 3
_KEY_HINT: Final = (
    "Write DOMAIN/user|space/OWNER/APP_TYPE/APP_NAME, such as research/space/alice-lab/JupyterLab/default; "
    "the rows of a plan begin with the keys of its apps"
)


class AppKey(NamedTuple):
    """The identity of an app: what CreateApp takes to name one, with the fleet's name of the domain.

    A named tuple, not a dataclass: keys are hashed and compared millions of times in a large plan, and a
    tuple does both without running Python code. It sorts by its fields from left to right.
    """

    domain: str
    owner_kind: OwnerKind
    owner: str
    app_type: str
    app_name: str

    def __str__(self) -> str:
        """Return the one written form, `research/space/alice-lab/JupyterLab/default`."""
        return "/".join(self)

    @property
    def owner_key(self) -> Owner:
        """The owner that this app belongs to."""
        return Owner(self.domain, self.owner_kind, self.owner)


class Owner(NamedTuple):
    """A user profile or a space of one domain."""

    domain: str
    kind: OwnerKind
    name: str

    def __str__(self) -> str:
        """Return the written form, `research/space/alice-lab`: the beginning of its apps' keys."""
        return "/".join(self)


def folded(key: AppKey) -> AppKey:
    """Return the form in which keys of one app are equal: the service takes user profile names in any case."""
    return key._replace(owner=key.owner.casefold()) if key.owner_kind == USER else key


def twin_of(key: AppKey) -> AppKey:
    """Return the key of the other owner kind under the same names: an ARN does not tell the two apart."""
    return key._replace(owner_kind=SPACE if key.owner_kind == USER else USER)


class Lane(NamedTuple):
    """One account in one region: what a throttle and a set of quota buckets belong to."""

    account: str
    region: str

    def __str__(self) -> str:
        """Return the written form, `111122223333/eu-west-1`."""
        return "/".join(self)


class QuotaBucket(NamedTuple):
    """What one ResourceLimitExceeded speaks of: apps of one type on one instance type in one lane.

    `instance_type` is empty where the service chooses it from the profile's or the domain's default. A training plan,
    named by its ARN, is a bucket by itself: apps of every type on it share its instances, and both texts are empty.
    """

    account: str
    region: str
    app_type: str
    instance_type: str
    training_plan: str = ""

    def __str__(self) -> str:
        """Return the written form, `111122223333/eu-west-1/JupyterLab/ml.t3.medium`.

        A training plan's is `111122223333/eu-west-1/training-plan/p5-week-50`.
        """
        what = self.training_plan.rsplit(":", 1)[-1] if self.training_plan else f"{self.app_type}/{self.instance_type}"
        return f"{self.account}/{self.region}/{what}"


def parse_app_key(text: str) -> AppKey:
    """Read a key from its written form.

    Raises UsageError when `text` is not five parts with a known owner kind.
    """
    parts = text.split("/")
    if len(parts) != KEY_PARTS or not all(parts):
        raise UsageError(f"{_quoted(text)} is not an app key", hint=_KEY_HINT)
    domain, kind, owner, app_type, app_name = parts
    if kind not in OWNER_KINDS:
        raise UsageError(
            f"{_quoted(text)} is not an app key: its second part is {_quoted(kind)}, and must be user or space",
            hint=_KEY_HINT,
        )
    return AppKey(domain, SPACE if kind == SPACE else USER, owner, app_type, app_name)


def key_or_none(text: str) -> AppKey | None:
    """Return the key that `text` is, or None for what another version wrote in another form."""
    try:
        return parse_app_key(text)
    except UsageError:
        return None


def _quoted(text: str) -> str:
    return f'"{clean(text, KEY_SHOWN_MAX_CHARS)}"'


_KIND_WORDS: Final = {USER: "user profile", SPACE: "space"}


def owner_word(owner: Owner) -> str:
    """Return `user profile alice` or `space alice-lab`."""
    return f"{_KIND_WORDS[owner.kind]} {owner.name}"


def folded_owner(owner: Owner) -> Owner:
    """Return the form in which names of one owner are equal: the service takes user profile names in any case."""
    return owner._replace(name=owner.name.casefold()) if owner.kind == USER else owner


def word_of_key(key: str) -> str:
    """Return what a key names: `app`, `user profile`, `space`, or `domain` for a domain's name."""
    parts = key.split("/")
    if len(parts) == 1:
        return "domain"
    return _KIND_WORDS[SPACE if parts[1] == SPACE else USER] if len(parts) == OWNER_KEY_PARTS else "app"
