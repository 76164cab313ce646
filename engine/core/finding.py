"""What a rule or a guardrail said. Apart from `plan`, since the rules are asked where no plan is made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

LISTING: Final = "listing"  # the check that says which domains could not be listed
OFFBOARD: Final = "offboard"  # the check that says which profiles and spaces cannot go
UNDO: Final = "undo"  # the check that says what is no longer as a run that is undone left it
RESTORE: Final = "restore"  # the check that says which updates cannot be put back as long as nothing else changes
UNPRUNED: Final = "unpruned"  # the check that says what was to be pruned if it could have been read whose it is
OWNERS: Final = "owners"  # the check that says which profiles and spaces are missing, differ or are somebody else's
ADOPTION: Final = "adopt"  # the check that says what is not adopted; with no key, that nothing is
UNCOMPARED: Final = "uncompared"  # the check that says which profiles and spaces, or whose tags, could not be read
SKIP: Final = "skip"  # the enforcement that leaves out one thing alone
MANDATORY: Final = "mandatory"  # the enforcement that stops a run
GUARDRAIL: Final = "safety."  # begins the name of what speaks for a limit of a policy
ENFORCEMENTS: Final = ("advisory", SKIP, MANDATORY, "remediate")  # of findings; a disabled rule has none


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """What a rule or a guardrail said. `key` is empty where a group or the plan is meant.

    `source` is the rule's `file:line`. `allow` are the values of --allow-destructive that let through exactly what a
    guardrail refused; a plan that was read back has none.
    """

    rule: str
    enforcement: str
    key: str
    message: str
    source: str = ""
    allow: tuple[str, ...] = field(default=(), compare=False)

    def is_of(self, rule: str, enforcement: str) -> bool:
        """Whether this check says it, and as gravely."""
        return (self.rule, self.enforcement) == (rule, enforcement)

    def to_json(self) -> dict[str, str]:
        """Return the entry of `findings`."""
        return {
            "rule": self.rule,
            "enforcement": self.enforcement,
            "key": self.key,
            "message": self.message,
            "source": self.source,
        }


def staying(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return what says of a profile or space that it stays although it was to go."""
    return tuple(finding for finding in findings if (finding.rule, finding.enforcement) == (OFFBOARD, SKIP))


def unrestored(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return what says of a profile or space that its update was to be put back and is not."""
    return tuple(finding for finding in findings if (finding.rule, finding.enforcement) == (RESTORE, SKIP))


def unpruned(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return what says of apps that nothing was pruned of them, since it could not be read whose they are."""
    return tuple(finding for finding in findings if (finding.rule, finding.enforcement) == (UNPRUNED, SKIP))


def uncompared(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return what says of a profile or space that it was to be kept as declared, and could not be read."""
    return tuple(finding for finding in findings if (finding.rule, finding.enforcement) == (UNCOMPARED, SKIP))


def allowed_flags(findings: Iterable[Finding]) -> tuple[str, ...]:
    """Return the values of --allow-destructive that let a refused plan through; none where they would not be enough.

    What covers all domains covers each of them, so one such value stands alone.
    """
    stopping = [finding for finding in findings if finding.enforcement == MANDATORY]
    if not stopping or not all(finding.allow for finding in stopping):
        return ()
    flags = tuple(dict.fromkeys(flag for finding in stopping for flag in finding.allow))
    return next(((flag,) for flag in flags if flag.startswith("*=")), flags)
