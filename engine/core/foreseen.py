"""What a plan's forecast said of a run, beside what the run then took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.core.forecast import Forecast


@dataclass(frozen=True, slots=True)
class Foreseen:
    """Times are seconds: `took_seconds` those of the changes, from the end of planning to the end of the last app.

    `parked` apps exceeded their quota; then `seconds` is a bound, and the others were to be done after
    `fitting_seconds`.
    """

    seconds: float
    fitting_seconds: float
    parked: int
    took_seconds: float

    @classmethod
    def of(cls, forecast: Forecast, took_s: float) -> Foreseen:
        """Return the two side by side."""
        return cls(forecast.seconds, forecast.fitting_seconds, forecast.parked, round(took_s, 3))

    def to_json(self) -> dict[str, Any]:
        """Return `forecast` of `apply --format json` and of a run of `history --format json`."""
        return {
            "seconds": self.seconds,
            "fitting_seconds": self.fitting_seconds,
            "parked": self.parked,
            "took_seconds": self.took_seconds,
        }
