"""What a rule or a guardrail said. Apart from `plan`, since the rules are asked where no plan is made."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """What a rule or a guardrail said. `key` is empty where a group or the plan is meant.

    `source` is the rule's `file:line`.
    """

    rule: str
    enforcement: str
    key: str
    message: str
    source: str = ""

    def to_json(self) -> dict[str, str]:
        """Give the entry of `findings`."""
        return {
            "rule": self.rule,
            "enforcement": self.enforcement,
            "key": self.key,
            "message": self.message,
            "source": self.source,
        }
