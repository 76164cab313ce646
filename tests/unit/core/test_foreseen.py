"""A forecast beside what happened: the two in one document, and in words."""

from __future__ import annotations

from engine.core.forecast import Forecast
from engine.core.foreseen import Foreseen
from engine.render.foreseen_text import foreseen_words

FORECAST = Forecast(300.0, "lane/JupyterLab/ml.t3.medium", 0, (("CreateApp", 3),), (300.0,) * 10, True, True, 300.0)


def test_what_was_forecast_and_what_it_took_are_one_document() -> None:
    assert Foreseen.of(FORECAST, 295.12345).to_json() == {
        "seconds": 300.0, "fitting_seconds": 300.0, "parked": 0, "took_seconds": 295.123,
    }  # fmt: skip


def test_a_wait_for_a_quota_is_a_bound_and_not_an_estimate() -> None:
    assert foreseen_words(Foreseen(300.0, 300.0, 0, 295.1)) == "changes took 4 min 55 s (forecast: about 5 min)"
    assert foreseen_words(Foreseen(1_800.0, 240.0, 2, 1_790.0)) == (
        "changes took 29 min 50 s (forecast: up to 30 min, about 4 min for what fits its quota)"
    )
    assert foreseen_words(Foreseen(1_800.0, 0.0, 2, 5.0)) == "changes took 5.0 s (forecast: up to 30 min)"
