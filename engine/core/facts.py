"""Everything that a plan rests on: what was listed, and what was answered since.

An answer that could not be got is an answer too (UNREAD, `Unknown`, `unread_because`), so nothing is asked twice. Not
here: what is asked (`questions`), and what follows (`draft`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, NamedTuple

from engine.core.application import Application
from engine.core.finding import Finding
from engine.core.identity import AppKey, Lane, Owner
from engine.core.observed import ObservedFleet, ObservedOwner, Ownership
from engine.core.owner_quotas import OwnerRoom
from engine.core.ownership import FLEET_TAG, Whose
from engine.core.quota_fit import LaneQuotas
from engine.core.reserved import RULE as PLANS_RULE
from engine.core.reserved import TrainingPlan, plan_word
from engine.core.trouble import Trouble

TAGS_RULE: Final = "tags"
TAGGED_OWNER: Final = "tagged_owner"


@dataclass(frozen=True, slots=True)
class Unknown:
    """What could not be learnt, and why."""

    why: str


class Refusal(NamedTuple):
    """Why nothing is pruned, and what to do about it."""

    why: str
    hint: str

    @property
    def trouble(self) -> Trouble:
        """The error of a run that goes on without pruning."""
        return Trouble(TAGGED_OWNER, f"nothing is pruned: {self.why}", self.hint)

    def __str__(self) -> str:
        """Return both on one line."""
        return f"{self.why}. {self.hint}"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known. `|` gives facts that know more; a field about which there is nothing new stays the same object.

    `observed` holds what `ownership` says as well. `tagged` names what carries the fleet's own tag in a lane besides
    apps, by ARN. `owners` maps to None what is not there. `auth_modes` and `applications` are those of domains.
    `residents` holds everybody in a domain that somebody leaves, by the folded name. `tags_unread` says of which lanes
    tags were not read, and why. `owner_rooms` holds the quotas of profiles and spaces. `training_plans` maps ARNs to
    what was read, None for what does not exist.
    """

    observed: ObservedFleet = field(default_factory=lambda: ObservedFleet({}))
    ownership: Mapping[AppKey, Whose] = field(default_factory=dict)
    tagged: Mapping[Lane, tuple[str, ...] | Unknown] = field(default_factory=dict)
    quotas: Mapping[Lane, LaneQuotas] = field(default_factory=dict)
    owners: Mapping[Owner, ObservedOwner | Unknown | None] = field(default_factory=dict)
    auth_modes: Mapping[str, str | Unknown] = field(default_factory=dict)
    applications: Mapping[str, Application] = field(default_factory=dict)
    residents: Mapping[str, Mapping[Owner, ObservedOwner]] = field(default_factory=dict)
    tags_unread: Mapping[Lane, str] = field(default_factory=dict)
    owner_rooms: Mapping[Lane, OwnerRoom] = field(default_factory=dict)
    training_plans: Mapping[str, TrainingPlan | Unknown | None] = field(default_factory=dict)

    def __or__(self, more: Facts) -> Facts:
        """Return these facts and `more`, which counts where both say something."""
        domains = {**self.observed.domains, **more.observed.domains}
        told = {key: found for key, found in more.ownership.items() if found.ownership is not Ownership.UNREAD}
        for name in {key.domain for key in told} & domains.keys():
            rows = dict(domains[name].apps)
            for key in told.keys() & rows.keys():
                found = told[key]
                foreign = found.fleet if found.ownership is Ownership.FOREIGN else ""
                rows[key] = replace(
                    rows[key],
                    ownership=found.ownership,
                    foreign_fleet=foreign,
                    keep_until=found.keep_until,
                    activity=found.activity,
                )
            domains[name] = replace(domains[name], apps=rows)
        merged: dict[str, Any] = {}
        for name in (one.name for one in fields(self)[1:]):
            known, new = getattr(self, name), getattr(more, name)
            merged[name] = {**known, **new} if known and new else new or known
        return Facts(ObservedFleet(domains) if told or more.observed.domains else self.observed, **merged)

    @property
    def owners_seen(self) -> dict[Owner, ObservedOwner | None]:
        """The owners that could be looked at."""
        return {owner: row for owner, row in self.owners.items() if not isinstance(row, Unknown)}

    @property
    def plans_read(self) -> dict[str, TrainingPlan | None]:
        """The training plans of which it is known how they are."""
        return {arn: found for arn, found in self.training_plans.items() if not isinstance(found, Unknown)}

    @property
    def residents_known(self) -> bool:
        """Whether it could be read whose everything is that leaves."""
        rows = (row for domain in self.residents.values() for row in domain.values())
        return not any(row.unread_because and not row.is_deleting for row in rows)

    @property
    def quota_codes(self) -> dict[str, str]:
        """The codes of the quotas that were read, by name."""
        return {name: value.code for lane in self.quotas.values() for name, value in lane.values.items()}

    def refusal(self, fleet: str) -> Refusal | None:
        """Return why nothing may be pruned: a profile, space or domain has the tag of `fleet`; None where none has it.

        Such a tag spreads to apps that people open by hand, so an app's own tag is no proof there.
        """
        for lane, found in sorted(self.tagged.items()):
            if isinstance(found, Unknown):
                return Refusal(
                    f"whether a user profile, space or domain of {lane} carries {FLEET_TAG} is not known: {found.why}",
                    "Let the caller read tags (tag:GetResources, or sagemaker:ListTags), then run again",
                )
            if found:
                return Refusal(
                    f"{', '.join(found)} carries {FLEET_TAG} = {fleet}, and so may apps that people open by hand",
                    "Take that tag off it: appfleet tags apps alone",
                )
        return None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What must be said of answers that could not be got, sorted."""
        unread = (
            f"tags in account {lane.account}, region {lane.region} were not read: {why}. "
            "Which fleet owns the apps that this one does not declare is not known"
            for lane, why in self.tags_unread.items()
        )
        unread_quotas = {  # those of apps and of owners may be unread for one reason
            *((lane, found.unread_because) for lane, found in self.quotas.items()),
            *((lane, found.unread_because) for lane, found in self.owner_rooms.items()),
        }
        quotas = (
            f"quotas of {lane} are not known: {why}. This does not hold back any app"
            for lane, why in unread_quotas
            if why
        )
        plans = (
            f"{plan_word(arn)} was not read: {found.why}. appfleet creates its apps without knowing whether it has room"
            for arn, found in self.training_plans.items()
            if isinstance(found, Unknown)
        )
        said = [
            *((TAGS_RULE, message) for message in unread),
            *(("quotas", message) for message in quotas),
            *((PLANS_RULE, message) for message in plans),
        ]
        return tuple(sorted(Finding(rule, "advisory", "", message) for rule, message in said))


def joined_facts(found: Sequence[Facts]) -> Facts:
    """Return all of these as one, in order; the work grows with their number and not with its square."""
    if len(found) <= 1:
        return found[0] if found else Facts()
    half = len(found) // 2
    return joined_facts(found[:half]) | joined_facts(found[half:])
