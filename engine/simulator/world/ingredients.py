"""What apps are made from in the world: images with their versions, lifecycle configurations, execution roles.

Not here: what a domain attaches, which is in its settings. CreateApp does not ask whether any of it exists.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Image:
    """An image: its state, and the aliases of each version by number, as text."""

    status: str = "CREATED"
    reason: str = ""
    versions: dict[str, list[str]] = field(default_factory=dict)


@dataclass(slots=True)
class Ingredients:
    """All of an account's, by ARN. `scripts` maps lifecycle configurations to app types. `missing` is not there."""

    images: dict[str, Image] = field(default_factory=dict)
    scripts: dict[str, str] = field(default_factory=dict)
    roles: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def image(self, arn: str) -> Image | None:
        """Return an image, or None where there is none of that ARN."""
        return None if arn in self.missing else self.images.get(arn)

    def script(self, arn: str) -> str | None:
        """Return the app type of a lifecycle configuration, or None where there is none of that ARN."""
        return None if arn in self.missing else self.scripts.get(arn)

    def role(self, account: str, name: str) -> str | None:
        """Return the ARN of an account's role, whatever its path, or None where there is none of that name."""
        found = (arn for arn in self.roles if arn.split(":")[4] == account and arn.rpartition("/")[2] == name)
        return next((arn for arn in found if arn not in self.missing), None)
