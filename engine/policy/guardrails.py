"""Guardrails: the limits of `[safety]` on a whole plan, checked before anything is called.

Each limit holds for all domains together and for each domain alone, so a small domain cannot vanish behind a
large one. Not here: rules over desired apps (`admission`), deciding what is destroyed (`core.planner`).
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final, TypeVar

from engine.core.change import DESTROYING, MAKING, Action, Change
from engine.core.counted import owners_counted
from engine.core.desired import DesiredApp, DesiredDomain, Source
from engine.core.errors import UsageError
from engine.core.finding import Finding
from engine.core.identity import OWNER_KEY_PARTS, OWNER_KINDS, Owner, parse_app_key, word_of_key
from engine.core.limits import KEY_SHOWN_MAX_CHARS
from engine.core.plan import Plan
from engine.core.request import ALLOW, allowing
from engine.core.settings import Safety
from engine.core.text import clean, count_of
from engine.policy.prices import PriceBook
from engine.policy.rules import Enforcement

T = TypeVar("T")

_NAMED_MAX_COUNT: Final = 3  # so many keys are named one by one in a way out; more of them by a pattern
_TYPES_NAMED_MAX_COUNT: Final = 5
_WILDCARDS: Final = frozenset("*?[")
_COUNT: Final = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class Allowance:
    """One `--allow-destructive`: a key, or a pattern with the number of planned deletes and replaces it must fit."""

    pattern: str
    count: int

    def covers(self, key: str) -> bool:
        """Whether it speaks of this key. A star in a pattern goes over slashes, too."""
        return fnmatchcase(key, self.pattern)

    def __str__(self) -> str:
        """Return the flag as it was written."""
        return (
            self.pattern if self.count == 1 and not _WILDCARDS & set(self.pattern) else f"{self.pattern}={self.count}"
        )


def parse_allowance(text: str) -> Allowance:
    """Read `KEY` or `PATTERN=COUNT`.

    Raises UsageError: a pattern without its count could cover more than was meant.
    """
    pattern, equals, count = text.rpartition("=")
    if not equals:
        if _WILDCARDS & set(text):
            raise _refused(text, "is a pattern without a count", "Write it as PATTERN=COUNT, such as research/*=12")
        return Allowance(_named(text), 1)
    if not pattern or not _COUNT.fullmatch(count):
        raise _refused(
            text,
            "is not PATTERN=COUNT",
            "Write the number of apps, spaces and profiles behind the =, such as research/*=12",
        )
    return Allowance(pattern if _WILDCARDS & set(pattern) else _named(pattern), int(count))


def _named(text: str) -> str:
    """Return a pattern without wildcards: the key of an app, or of a user profile or space."""
    parts = text.split("/")
    if len(parts) == OWNER_KEY_PARTS and all(parts) and parts[1] in OWNER_KINDS:
        return text
    try:
        return str(parse_app_key(text))
    except UsageError as error:
        raise UsageError(f"{ALLOW.flag}: {error.message}", hint=error.hint) from None


def _refused(text: str, why: str, hint: str) -> UsageError:
    return UsageError(f'{ALLOW.flag}: "{clean(text, KEY_SHOWN_MAX_CHARS)}" {why}', hint=hint)


@dataclass(frozen=True, slots=True)
class _Part:
    """The plan, or one domain of it: what a limit is compared with. `owned` counts observed apps of this fleet.

    `updated` are the profiles and spaces that are changed in place.

    `destroyed` are the keys of all that the plan destroys here, apps and owners, also of what was allowed already.
    """

    where: str
    pattern: str
    destroys: tuple[Change, ...]
    destroyed: tuple[str, ...]
    creates: tuple[tuple[Change, DesiredApp], ...]
    owned: int
    updated: tuple[Owner, ...] = ()


def check_plan(
    plan: Plan,
    domains: Sequence[DesiredDomain],
    owned: Mapping[str, int],
    safety: Safety,
    prices: PriceBook,
    allowances: Sequence[Allowance] = (),
    sources: Mapping[str, Source] | None = None,
) -> tuple[Finding, ...]:
    """Return a mandatory finding for each limit that the plan breaks, sorted; none when it may run.

    `owned` counts the live observed apps of this fleet by domain. Destroys that an allowance covers are not
    counted; an allowance that does not fit the plan exactly is a finding itself, since the plan is then not the
    one that was meant. `sources` tells where a limit was set, by its key path.
    """
    check = _Check(safety, prices, {domain.name: domain for domain in domains}, dict(sources or {}))
    destroys = [change for change in plan.changes if change.action in DESTROYING]
    destroyed = [str(change.key) for change in destroys]
    destroyed += (str(change.owner) for change in plan.owners if change.action is Action.DELETE)
    for allowance in allowances:
        check.allowance(allowance, destroyed)
    counted = tuple(c for c in destroys if not any(allowance.covers(str(c.key)) for allowance in allowances))
    for part in _parts(counted, destroyed, plan, owned):
        check.part(part)
    return tuple(sorted(check.findings))


def _parts(
    destroys: tuple[Change, ...], destroyed: Sequence[str], plan: Plan, owned: Mapping[str, int]
) -> Iterable[_Part]:
    """Yield the whole plan, where it is of several domains, then each domain; everything is looked at once for all."""
    creates = tuple(
        (change, change.after) for change in plan.changes if change.action in MAKING and change.after is not None
    )
    updated = tuple(change.owner for change in plan.owners if change.action is Action.UPDATE)
    names = sorted({change.key.domain for change in plan.changes} | {owner.domain for owner in updated})
    if len(names) != 1:
        everything = sum(owned.values())
        yield _Part("all domains together", "*", destroys, tuple(destroyed), creates, everything, updated)
    destroys_of = _grouped(destroys, lambda change: change.key.domain)
    destroyed_of = _grouped(destroyed, lambda key: key.partition("/")[0])
    creates_of = _grouped(creates, lambda made: made[0].key.domain)
    updated_of = _grouped(updated, lambda owner: owner.domain)
    for name in names:
        yield _Part(
            f"domain {name}",
            f"{name}/*",
            tuple(destroys_of[name]),
            tuple(destroyed_of[name]),
            tuple(creates_of[name]),
            owned.get(name, 0),
            tuple(updated_of[name]),
        )


def _grouped(items: Iterable[T], domain_of: Callable[[T], str]) -> defaultdict[str, list[T]]:
    """Return `items` by their domain, in their order."""
    grouped: defaultdict[str, list[T]] = defaultdict(list)
    for item in items:
        grouped[domain_of(item)].append(item)
    return grouped


class _Check:
    """Holds a plan, part by part, against the limits."""

    def __init__(
        self, safety: Safety, prices: PriceBook, domains: Mapping[str, DesiredDomain], sources: Mapping[str, Source]
    ) -> None:
        self.safety = safety
        self.prices = prices
        self.domains = domains
        self.sources = sources
        self.findings: list[Finding] = []

    def allowance(self, allowance: Allowance, destroyed: Sequence[str]) -> None:
        """Compare what an allowance covers, of the keys of apps and owners that are destroyed, with what it says."""
        matched = [key for key in destroyed if allowance.covers(key)]
        covered = len(matched)
        if covered != allowance.count:
            self._deny(
                "allow_destructive",
                f"{ALLOW.flag} {clean(str(allowance))} allows {allowance.count:,}, but this plan destroys "
                f"{_things(matched)} that match it: read the plan again and use its count",
                (f"{allowance.pattern}={covered}",) if covered else (),
            )

    def part(self, part: _Part) -> None:
        """Hold one part against every limit."""
        self._destroys(part)
        self._share(part)
        new = sum(change.action is Action.CREATE for change, _ in part.creates)
        if new + len(part.updated) > self.safety.create_max:
            said = " and ".join(
                [
                    *([f"{count_of(new, 'app')} would be created"] if new or not part.updated else []),
                    *([f"{owners_counted(part.updated)} would be updated"] if part.updated else []),
                ]
            )
            new += len(part.updated)
            self._deny(
                "create_max",
                f"{part.where}: {said}, more than the {self.safety.create_max:,} of "
                f"[safety].create_max: {_narrow(part)}, or set create_max to {new} or more",
            )
        self._cost(part)

    def _destroys(self, part: _Part) -> None:
        count = len(part.destroys)
        if count > self.safety.destroy_max:
            self._deny(
                "destroy_max",
                f"{part.where}: {count_of(count, 'app')} would be destroyed ({_split(part)}), more than the "
                f"{self.safety.destroy_max:,} of [safety].destroy_max: if that is meant, {_way_out(part)}",
                _allow(part),
            )

    def _share(self, part: _Part) -> None:
        count, owned = len(part.destroys), part.owned
        if owned < max(self.safety.destroy_floor, 1):
            return
        if count > self.safety.destroy_share_max * owned:
            self._deny(
                "destroy_share_max",
                f"{part.where}: {count:,} of the {owned:,} apps that this fleet owns ({count / owned:.0%}) would be "
                f"destroyed ({_split(part)}), more than the {self.safety.destroy_share_max:.0%} of "
                f"[safety].destroy_share_max: if that is meant, {_way_out(part)}",
                _allow(part),
            )

    def _cost(self, part: _Part) -> None:
        limit = self.safety.hourly_usd_max
        if limit is None or not part.creates:
            return
        unpriced: Counter[str] = Counter()
        added = 0.0
        for change, app in part.creates:
            usd = self._added(change, app)
            if usd == math.inf:
                unpriced[self._unpriced_type(app)] += 1
            else:
                added += usd
        if unpriced:
            named = ", ".join(f"{kind} ({count:,})" for kind, count in unpriced.most_common(_TYPES_NAMED_MAX_COUNT))
            self._deny(
                "hourly_usd_max",
                f"{part.where}: {count_of(sum(unpriced.values()), 'app')} to be created have no price, so the limit of "
                f"{limit:g} USD an hour cannot be kept: add to [prices] what is missing: {named}",
            )
        if added > limit:
            self._deny(
                "hourly_usd_max",
                f"{part.where}: {added:,.2f} USD an hour would be added, more than the {limit:,.2f} of "
                f"[safety].hourly_usd_max: {_narrow(part)}, or set hourly_usd_max to {math.ceil(added)} or more",
            )

    def _added(self, change: Change, app: DesiredApp) -> float:
        """Return USD an hour that a create or a replace adds at most; a replace is not counted below nothing."""
        region = self.domains[change.key.domain].region
        usd = self.prices.dearest(region, app)
        if change.before is None or change.action is not Action.DELETE_THEN_CREATE:
            return usd
        old = self.prices.price_of(region, change.key.app_type, change.before.spec)
        return max(usd - (old or 0.0), 0.0)

    def _unpriced_type(self, app: DesiredApp) -> str:
        region, app_type = self.domains[app.key.domain].region, app.key.app_type
        types = (app.spec.instance_type or "", *app.fallback)
        missing = next(kind for kind in types if self.prices.price(region, app_type, kind) is None)
        return clean(missing) or f"{app_type} without an instance type"

    def _deny(self, limit: str, message: str, allow: tuple[str, ...] = ()) -> None:
        source = self.sources.get(f"safety.{limit}")
        shown = "" if source is None else str(source)
        self.findings.append(Finding(f"safety.{limit}", Enforcement.MANDATORY.value, "", message, shown, allow))


def _things(keys: Sequence[str]) -> str:
    """Return `15 (5 apps, 5 spaces, 5 user profiles)`, or `5 apps` where they are of one kind; `none` for none."""
    kinds = Counter(map(word_of_key, keys))
    counted = ", ".join(count_of(count, kind) for kind, count in sorted(kinds.items()))
    return f"{len(keys):,} ({counted})" if len(kinds) > 1 else counted or "none"


def _split(part: _Part) -> str:
    deletes = sum(change.action is Action.DELETE for change in part.destroys)
    replaces = len(part.destroys) - deletes
    texts = [f"{count:,} {word}" for count, word in ((deletes, "deleted"), (replaces, "replaced")) if count]
    return ", ".join(texts)


def _way_out(part: _Part) -> str:
    """Return the flags that let exactly this through, to be typed as they stand."""
    return f"add {allowing(_allow(part))}"


def _allow(part: _Part) -> tuple[str, ...]:
    """Return the keys, or the pattern with the count of all that it covers: also of owners, and of what was allowed."""
    if len(part.destroys) <= _NAMED_MAX_COUNT:
        return tuple(str(change.key) for change in part.destroys)
    return (f"{part.pattern}={len(part.destroyed)}",)


def _narrow(part: _Part) -> str:
    return "narrow the run with --domain or --team" if part.pattern == "*" else "narrow the run with --team or --user"
