"""One app explained: where each field came from, what each rule said, what the planner will do.

Values only; `render.explain_text` shows them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.core.change import Change
from engine.core.desired import DesiredApp, Source
from engine.core.finding import Finding
from engine.core.hours import HoursLine
from engine.core.identity import AppKey, QuotaBucket
from engine.core.owner_status import OwnerLine


@dataclass(frozen=True, slots=True)
class FieldOrigin:
    """A field of an app, what it is set to, and the layer that set it. `layer` is empty for the entry's own key."""

    name: str
    value: str
    layer: str
    source: Source


@dataclass(frozen=True, slots=True)
class RuleLine:
    """What one rule said. `seen` are the variables that it looked at; `exception` why it does not hold, or empty.

    `is_organizations`: no file of the fleet can change the rule.
    """

    rule: str
    enforcement: str
    verdict: str
    message: str
    source: Source
    group: str = ""
    seen: tuple[tuple[str, str], ...] = ()
    exception: str = ""
    is_organizations: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """All of it. `change` is None where nothing could be observed, and `trouble` says why.

    `findings` is what the files are warned about. `owner` is the app's user profile or space, None where the fleet does
    not declare it or nothing could be observed.
    `hours` are those of the app, as they are now.
    `unproven` is the shape of an app to be created, in words, where no app of that shape is known to run here.
    `buckets` are the quota buckets that a create would need, the fallbacks' behind it; `weight` is the priority.
    """

    key: AppKey
    app: DesiredApp | None
    fields: tuple[FieldOrigin, ...]
    rules: tuple[RuleLine, ...]
    weight: float
    buckets: tuple[QuotaBucket, ...]
    change: Change | None
    trouble: str = ""
    findings: tuple[Finding, ...] = ()
    owner: OwnerLine | None = None
    hours: tuple[HoursLine, ...] = ()
    unproven: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the document of `explain --format json`."""
        return {
            "format_version": 1,
            "key": str(self.key),
            "declared_at": None if self.app is None else str(self.app.source),
            "fields": [
                {"field": one.name, "value": one.value, "layer": one.layer, "source": str(one.source)}
                for one in self.fields
            ],
            "rules": [
                {
                    "rule": one.rule,
                    "enforcement": one.enforcement,
                    "verdict": one.verdict,
                    "message": one.message,
                    "group": one.group,
                    "source": str(one.source),
                    "seen": dict(one.seen),
                    "exception": one.exception,
                    **({"organization": True} if one.is_organizations else {}),
                }
                for one in self.rules
            ],
            "priority": self.weight,
            "buckets": [str(bucket) for bucket in self.buckets],
            "change": None if self.change is None else {**self.change.to_json()},
            "trouble": self.trouble,
            "findings": [finding.to_json() for finding in self.findings],
            "owner": None if self.owner is None else self.owner.to_json(),
            **({"hours": [line.to_json() for line in self.hours]} if self.hours else {}),
            "unproven": self.unproven,
        }


def origins_of(app: DesiredApp) -> tuple[FieldOrigin, ...]:
    """Name each declared field of `app` with the layer that set it; tags one by one, since they merge key by key."""
    found: dict[str, FieldOrigin] = {}
    for layer in app.layers:
        for name, value in layer.values.items():
            if name == "tags":
                for tag, text in value.items():
                    found[f"tags.{tag}"] = FieldOrigin(f"tags.{tag}", str(text), layer.name, layer.source)
            else:
                shown = ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
                found[name] = FieldOrigin(name, shown, layer.name, layer.source)
    return tuple(sorted(found.values(), key=lambda origin: (origin.name.startswith("tags."), origin.name)))
