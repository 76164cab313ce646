"""What a policy file says about apps, as typed values: rules, exceptions and priorities, not yet compiled.

Not here: reading files (`config.policy_file`), the expression language (`cel`), judging apps (`admission`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, Final

from engine.core.desired import Source


class Enforcement(StrEnum):
    """What a rule's no means."""

    ADVISORY = "advisory"  # it is said
    SKIP = "skip"  # that app alone is denied; for a group, the apps of that group
    MANDATORY = "mandatory"  # the run is denied
    REMEDIATE = "remediate"  # no check: the app is changed
    DISABLED = "disabled"  # compiled, never evaluated


class Scope(StrEnum):
    """What a rule is asked about: each app, or each group of apps."""

    APP = "app"
    OWNER = "owner"
    TEAM = "team"
    DOMAIN = "domain"
    FLEET = "fleet"


WIDE_SCOPES: Final = (Scope.TEAM, Scope.FLEET)  # whose groups may have apps in several accounts and regions


@dataclass(frozen=True, slots=True)
class Expression:
    """A CEL expression as it was written, and where its key stands."""

    text: str
    source: Source


@dataclass(frozen=True, slots=True)
class Rule:
    """One `[[rule]]`.

    `match` None: every app or group. `check` is None for a remediation alone, `sets` empty for every other
    rule. `path` is its key path in the file (`rule[0]`). `sets` holds field names of AppSpec, or `fallback`,
    with values of the field's own type (tags and fallback as tuples), sorted by name. `is_organizations`: it is of a
    folder of `--policies`, and the fleet's own files cannot change it.
    """

    id: str
    enforcement: Enforcement
    source: Source
    scope: Scope = Scope.APP
    description: str = ""
    match: Expression | None = None
    check: Expression | None = None
    message: str = ""
    message_source: Source | None = None
    sets: tuple[tuple[str, Any], ...] = ()
    path: str = ""
    is_organizations: bool = False

    def key_path(self, key: str) -> str:
        """Return the key path of one of its keys, for a problem."""
        return f"{self.path or f'rule.{self.id}'}.{key}"


@dataclass(frozen=True, slots=True)
class RuleException:
    """One `[[exception]]`: the rule called `rule` does not hold where `match` does, `expires` (in UTC) included."""

    rule: str
    match: Expression
    reason: str
    expires: date
    source: Source
    path: str = "exception"

    def is_expired(self, today: date) -> bool:
        """Whether its last day has passed."""
        return today > self.expires


@dataclass(frozen=True, slots=True)
class Priority:
    """One `[[priority]]`: apps that match go before those with a smaller weight. Unmatched apps weigh 0."""

    match: Expression
    weight: float
    source: Source
    path: str = "priority"
