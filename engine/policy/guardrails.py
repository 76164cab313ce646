"""Guardrails: the limits of `[safety]` on a whole plan, checked before anything is called.

Each limit holds for all domains together and for each domain alone, so a small domain cannot vanish behind a
large one. Not here: rules over desired apps (`admission`), deciding what is destroyed (`core.planner`).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from engine.core.counted import keys_counted
from engine.core.desired import Source
from engine.core.errors import UsageError
from engine.core.finding import Finding
from engine.core.identity import OWNER_KEY_PARTS, OWNER_KINDS, parse_app_key, word_of_key
from engine.core.limits import KEY_SHOWN_MAX_CHARS
from engine.core.request import ALLOW, allowing
from engine.core.settings import Safety
from engine.core.text import clean, count_of
from engine.policy.rules import Enforcement
from engine.policy.weight import Weight, sum_of

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
    """What a limit is compared with: what is planned in all domains, or in one.

    `counted` holds the keys of the apps that are destroyed without an allowance.
    """

    where: str
    pattern: str
    weight: Weight
    counted: tuple[str, ...]


def check_weights(
    weights: Mapping[str, Weight],
    safety: Safety,
    allowances: Sequence[Allowance] = (),
    sources: Mapping[str, Source] | None = None,
    *,
    of_shard: bool = False,
    organizations: Collection[str] = (),
) -> tuple[Finding, ...]:
    """Return a mandatory finding for each limit that is broken, sorted; none when the plan may run.

    `weights` is what is planned by domain. Destroys that an allowance covers are not counted; an allowance that does
    not fit the plan exactly is a finding itself, since the plan is then not the one that was meant. `sources` tells
    where a limit was set, by its key path. `of_shard`: other domains are planned elsewhere, so only limits of single
    domains, and allowances for less than what is destroyed here, can be judged. `organizations` are the key paths of
    limits that an organization set.
    """
    check = _Check(safety, dict(sources or {}), organizations)
    whole = sum_of(weights.values())
    for allowance in allowances:
        check.allowance(allowance, whole.destroyed, of_shard=of_shard)
    for part in _parts(weights, whole, allowances, of_shard=of_shard):
        check.part(part)
    return tuple(sorted(check.findings))


def _parts(
    weights: Mapping[str, Weight], whole: Weight, allowances: Sequence[Allowance], *, of_shard: bool
) -> Iterable[_Part]:
    """Yield all domains together, where they are several, then each domain."""

    def counted(weight: Weight) -> tuple[str, ...]:
        keys = weight.destroys
        return tuple(key for key in keys if not any(one.covers(key) for one in allowances)) if allowances else keys

    changed = {name: weight for name, weight in weights.items() if weight.changes}
    if len(changed) > 1 and not of_shard:
        yield _Part("all domains together", "*", whole, counted(whole))
    for name, weight in sorted(changed.items()):
        yield _Part(f"domain {name}", f"{name}/*", weight, counted(weight))


class _Check:
    """Holds a plan, part by part, against the limits."""

    def __init__(self, safety: Safety, sources: Mapping[str, Source], organizations: Collection[str]) -> None:
        self.safety = safety
        self.sources = sources
        self.organizations = organizations
        self.findings: list[Finding] = []

    def allowance(self, allowance: Allowance, destroyed: Sequence[str], *, of_shard: bool) -> None:
        """Compare what an allowance covers, of the keys of apps and owners that are destroyed, with what it says."""
        matched = [key for key in destroyed if allowance.covers(key)]
        covered = len(matched)
        if covered > allowance.count or (covered < allowance.count and not of_shard):
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
        self._stops(part)
        created, updated = part.weight.created, part.weight.updated
        new = created + len(updated)
        if new > self.safety.create_max:
            said = " and ".join(
                [
                    *([f"{count_of(created, 'app')} would be created"] if created or not updated else []),
                    *([f"{keys_counted(updated)} would be updated"] if updated else []),
                ]
            )
            self._deny(
                "create_max",
                f"{part.where}: {said}, more than the {self.safety.create_max:,} of "
                f"[safety].create_max: {_narrow(part)}, or set create_max to {new} or more",
            )
        self._cost(part)

    def _destroys(self, part: _Part) -> None:
        count = _deletes(part)
        if count > self.safety.destroy_max:
            self._deny(
                "destroy_max",
                f"{part.where}: {count_of(count, 'app')} would be deleted, more than the {self.safety.destroy_max:,} "
                f"of [safety].destroy_max: if you intend this, {_way_out(part)}",
                _allow(part),
            )

    def _stops(self, part: _Part) -> None:
        count, most = part.weight.stopped, self.safety.hours_stop_max
        if count > most:
            whose = "its" if count == 1 else "their"
            self._deny(
                "hours_stop_max",
                f"{part.where}: {count_of(count, 'app')} would be stopped because {whose} hours are over, more than "
                f"the {most:,} of [safety].hours_stop_max: {_narrow(part)}, or set hours_stop_max to {count} or more",
            )

    def _share(self, part: _Part) -> None:
        count, owned = len(part.counted), part.weight.owned
        if owned < max(self.safety.destroy_floor, 1):
            return
        fewer = math.floor(self.safety.destroy_share_max * owned) - _deletes(part)
        waves = f", or set replace_wave to {fewer} or less" if fewer > 0 and count > _deletes(part) else ""
        if count > self.safety.destroy_share_max * owned:
            self._deny(
                "destroy_share_max",
                f"{part.where}: {count:,} of the {owned:,} apps that this fleet owns ({count / owned:.0%}) would be "
                f"destroyed ({_split(part)}), more than the {self.safety.destroy_share_max:.0%} of "
                f"[safety].destroy_share_max: if you intend this, {_way_out(part)}{waves}",
                _allow(part),
            )

    def _cost(self, part: _Part) -> None:
        limit, unpriced, added = self.safety.hourly_usd_max, part.weight.unpriced, part.weight.usd
        if limit is None:
            return
        if unpriced:
            common = Counter(unpriced).most_common(_TYPES_NAMED_MAX_COUNT)
            named = ", ".join(f"{kind} ({count:,})" for kind, count in common)
            self._deny(
                "hourly_usd_max",
                f"{part.where}: {count_of(sum(unpriced.values()), 'app')} to be created have no price, so the limit of "
                f"{limit:g} USD per hour cannot be checked: add to [prices]: {named}",
            )
        if added > limit:
            self._deny(
                "hourly_usd_max",
                f"{part.where}: {added:,.2f} USD per hour would be added, more than the {limit:,.2f} of "
                f"[safety].hourly_usd_max: {_narrow(part)}, or set hourly_usd_max to {_whole_cents(added)} or more",
            )

    def _deny(self, limit: str, message: str, allow: tuple[str, ...] = ()) -> None:
        source = self.sources.get(f"safety.{limit}")
        shown = "" if source is None else str(source)
        message += ". The organization's policies set this limit" if f"safety.{limit}" in self.organizations else ""
        self.findings.append(Finding(f"safety.{limit}", Enforcement.MANDATORY.value, "", message, shown, allow))


def _whole_cents(usd: float) -> str:
    """Return the least amount with two digits that is not below `usd`; what adding left behind is no cent."""
    return f"{math.ceil(round(usd * 100, 6)) / 100:.2f}"


def _things(keys: Sequence[str]) -> str:
    """Return `15 (5 apps, 5 spaces, 5 user profiles)`, or `5 apps` where they are of one kind; `none` for none."""
    kinds = Counter(map(word_of_key, keys))
    counted = ", ".join(count_of(count, kind) for kind, count in sorted(kinds.items()))
    return f"{len(keys):,} ({counted})" if len(kinds) > 1 else counted or "none"


def _deletes(part: _Part) -> int:
    return len(part.counted) - len(frozenset(part.weight.replaced).intersection(part.counted))


def _split(part: _Part) -> str:
    deletes = _deletes(part)
    replaces = len(part.counted) - deletes
    texts = [f"{count:,} {word}" for count, word in ((deletes, "deleted"), (replaces, "replaced")) if count]
    return ", ".join(texts)


def _way_out(part: _Part) -> str:
    """Return the flags that let exactly this through, to be typed as they stand."""
    return f"add {allowing(_allow(part))}"


def _allow(part: _Part) -> tuple[str, ...]:
    """Return the keys, or the pattern with the count of all that it covers: also of owners, and of what was allowed."""
    if len(part.counted) <= _NAMED_MAX_COUNT:
        return part.counted
    return (f"{part.pattern}={len(part.weight.destroyed)}",)


def _narrow(part: _Part) -> str:
    return "narrow the run with --domain or --team" if part.pattern == "*" else "narrow the run with --team or --user"
