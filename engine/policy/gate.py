"""What holds for all shards of a plan together: guardrails, and rules over groups that several shards have a part of.

Pure: from what each shard wrote of itself to one verdict, the same for any number of shards. Not here: where the
records are kept (`app.plan_place`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from engine.core.desired import Source
from engine.core.errors import StalePlanError
from engine.core.finding import Finding
from engine.core.settings import Safety
from engine.core.shards import Shard, fleet_fingerprint, parse_shard
from engine.core.text import clean, listed
from engine.policy.admission import Admission
from engine.policy.group_sums import WideGroup
from engine.policy.guardrails import Allowance, check_weights
from engine.policy.rules import Scope
from engine.policy.weight import Weight

RECORD_FORMAT: Final = 1
_AGAIN: Final = "Plan every shard again, under a new name: appfleet plan --shard I/N --out PLANS"
_NAMED_MAX_COUNT: Final = 3
_DAY_CHARS: Final = len("2026-12-31")


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What all shards of one plan have in common. `selectors` are without the shard.

    `inputs` holds the SHA-256 of every file that was read, and `policies` those of the policies alone.
    """

    fleet: str
    version: str
    inputs: Mapping[str, str]
    policies: Mapping[str, str]
    selectors: tuple[tuple[str, str], ...]
    options: tuple[tuple[str, str], ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "fleet": self.fleet,
            "version": self.version,
            "inputs": dict(self.inputs),
            "policies": dict(self.policies),
            "selectors": [list(pair) for pair in self.selectors],
            "options": [list(pair) for pair in self.options],
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Circumstances:
        """Read what `to_json` wrote. Raises KeyError, TypeError, ValueError or AttributeError for anything else."""
        inputs, policies = (
            {str(name): str(digest) for name, digest in found[which].items()} for which in ("inputs", "policies")
        )
        selectors, options = (
            tuple((str(name), str(value)) for name, value in found[which]) for which in ("selectors", "options")
        )
        return cls(str(found["fleet"]), str(found["version"]), inputs, policies, selectors, options)


@dataclass(frozen=True, slots=True)
class ShardRecord:
    """What one shard says of its plan: what all shards together are judged by.

    `lanes` holds the fingerprint of each lane, `weights` what is planned by domain. `findings` are those of the rules
    and the files, without what is said of the shard itself; `denied`: one of them is mandatory.
    """

    shard: Shard
    made_at: str
    about: Circumstances
    complete: bool
    denied: bool
    findings: tuple[Finding, ...]
    lanes: Mapping[str, str]
    weights: Mapping[str, Weight]
    groups: tuple[WideGroup, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the document of the record."""
        return {
            "format_version": RECORD_FORMAT,
            "shard": str(self.shard),
            "made_at": self.made_at,
            "about": self.about.to_json(),
            "complete": self.complete,
            "denied": self.denied,
            "findings": [finding.to_json() for finding in self.findings],
            "lanes": dict(self.lanes),
            "weights": {name: weight.to_json() for name, weight in self.weights.items()},
            "groups": [group.to_json() for group in self.groups],
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> ShardRecord:
        """Read what `to_json` wrote. Raises KeyError, TypeError, ValueError or AttributeError for anything else."""
        return cls(
            parse_shard(str(found["shard"])),
            str(found["made_at"]),
            Circumstances.from_json(found["about"]),
            bool(found["complete"]),
            bool(found["denied"]),
            tuple(map(_finding, found["findings"])),
            {str(lane): str(fingerprint) for lane, fingerprint in found["lanes"].items()},
            {str(name): Weight.from_json(weight) for name, weight in found["weights"].items()},
            tuple(map(WideGroup.from_json, found["groups"])),
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of all shards together. `denied_groups` are left out of what is applied."""

    about: Circumstances
    made_at: str
    lanes: Mapping[str, str]
    findings: tuple[Finding, ...]
    denied: bool
    complete: bool
    denied_groups: tuple[tuple[Scope, str], ...]
    weights: Mapping[str, Weight]

    @property
    def has_changes(self) -> bool:
        """Whether an app, a profile or a space is created, changed or deleted."""
        return any(weight.changes or weight.owners_deleted for weight in self.weights.values())

    @property
    def summary(self) -> dict[str, int]:
        """How many apps are created, replaced and deleted."""
        weights = self.weights.values()
        return {
            "create": sum(weight.created for weight in weights),
            "delete_then_create": sum(len(weight.replaced) for weight in weights),
            "delete": sum(len(weight.deleted) + weight.stopped for weight in weights),
        }

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the fleet's plan."""
        return fleet_fingerprint(self.lanes)


def judge(
    records: Sequence[ShardRecord],
    admission: Admission,
    safety: Safety,
    allowances: Sequence[Allowance] = (),
    sources: Mapping[str, Source] | None = None,
    organizations: Collection[str] = (),
) -> Verdict:
    """Judge all shards of one plan together. Raises StalePlanError where they are not of one plan."""
    about = _common(records)
    made_at = min(record.made_at for record in records)
    today = _day(records)
    weights = {name: weight for record in records for name, weight in record.weights.items()}
    weights = dict(sorted(weights.items()))
    groups = admission.judge_groups((group for record in records for group in record.groups), today)
    broken = check_weights(weights, safety, allowances, sources, organizations=organizations)
    findings = {finding for record in records for finding in record.findings}
    return Verdict(
        about,
        made_at,
        _lanes(records),
        tuple(sorted({*findings, *groups.findings, *broken})),
        denied=bool(broken) or groups.run_denied or any(record.denied for record in records),
        complete=all(record.complete for record in records),
        denied_groups=tuple(sorted(groups.denied)),
        weights=weights,
    )


def _common(records: Sequence[ShardRecord]) -> Circumstances:
    first = records[0]
    for record in records:
        if record.about != first.about:
            raise StalePlanError(
                f"shards {first.shard} and {record.shard} were not planned from the same files, by the same appfleet "
                "and with the same flags",
                hint=_AGAIN,
            )
    return first.about


def _day(records: Iterable[ShardRecord]) -> date:
    """Return the day, in UTC, on which all shards were planned: hours, expiry and exceptions depend on it."""
    days = sorted({record.made_at[:_DAY_CHARS] for record in records})
    if len(days) > 1:
        raise StalePlanError(
            f"the shards were planned on different days, {' and '.join(map(clean, days))}", hint=_AGAIN
        )
    try:
        return date.fromisoformat(days[0])
    except ValueError:
        raise StalePlanError(f"{clean(days[0])} is not a day on which a shard can have been planned") from None


def _lanes(records: Iterable[ShardRecord]) -> dict[str, str]:
    lanes: dict[str, str] = {}
    twice: list[str] = []
    for record in records:
        twice += lanes.keys() & record.lanes
        lanes.update(record.lanes)
    if twice:
        raise StalePlanError(f"more than one shard planned {listed(sorted(twice), _NAMED_MAX_COUNT)}", hint=_AGAIN)
    return dict(sorted(lanes.items()))


def _finding(found: Mapping[str, Any]) -> Finding:
    rule, enforcement, key, message, source = (
        str(found[name]) for name in ("rule", "enforcement", "key", "message", "source")
    )
    return Finding(rule, enforcement, key, message, source)
