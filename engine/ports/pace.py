"""Our own limit on calls a second."""

from __future__ import annotations

from typing import Protocol


class Pace(Protocol):
    """One throttle, taken by one dispatcher."""

    async def take(self) -> None:
        """Wait for the right to make one call."""
        ...

    def set_rate(self, calls_per_second: float) -> None:
        """Change the rate for the calls to come. `calls_per_second` is above 0; fractions are allowed."""
        ...
