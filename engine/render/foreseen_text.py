"""A forecast beside what happened, in words for every format made for people."""

from __future__ import annotations

from engine.core.foreseen import Foreseen
from engine.core.rough import rough
from engine.render.layout import duration


def foreseen_words(foreseen: Foreseen) -> str:
    """Return `changes took 4 min 55 s (forecast: about 5 min)`."""
    return f"changes took {duration(foreseen.took_seconds)} (forecast: {forecast_words(foreseen)})"


def forecast_words(foreseen: Foreseen) -> str:
    """Return `about 5 min`, or `up to 30 min` where a wait for a quota was part of it."""
    if not foreseen.parked:
        return f"about {rough(foreseen.seconds)}"
    rest = f", about {rough(foreseen.fitting_seconds)} for what fits its quota" if foreseen.fitting_seconds else ""
    return f"up to {rough(foreseen.seconds)}{rest}"
