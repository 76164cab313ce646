"""Instance types that nobody knows yet: a warning with what is known, and a guess only of a slip of the keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.config.reading.problems import Place, Problems
from engine.config.reading.toml_positions import scan
from engine.config.service import instance_types
from engine.config.service.instance_types import warn_of_unknown_types
from tests.models import newer_model, write_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SINCE = ". SageMaker may have added this one since"
MAYBE_NEW = "SageMaker may have added it: check it against the types that your region offers"


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    caches = (instance_types._of_model, instance_types._sizes, instance_types._hint)
    for cached in caches:
        cached.cache_clear()
    yield
    for cached in caches:
        cached.cache_clear()


def warned(*types: str | None) -> list[str]:
    problems = Problems()
    warn_of_unknown_types(types, Place("f.toml", scan("")), problems)
    return [warning.hint for warning in problems.warnings]


def test_what_is_known_is_not_warned_about() -> None:
    assert warned("system", None, "ml.t3.medium", "ml.g7e.48xlarge", "ml.p5.4xlarge") == []


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (
            "ml.g6.3xlarge",
            "The sizes of ml.g6 that it knows: "
            "xlarge, 2xlarge, 4xlarge, 8xlarge, 12xlarge, 16xlarge, 24xlarge, 48xlarge" + SINCE,
        ),
        (
            "ml.g7.xlarge",
            "The sizes of ml.g7 that it knows: 2xlarge, 4xlarge, 8xlarge, 12xlarge, 24xlarge, 48xlarge" + SINCE,
        ),
        ("ml.p4d.48xlarge", "The sizes of ml.p4d that it knows: 24xlarge" + SINCE),
        ("ml.t3.mediun", 'Did you mean "ml.t3.medium"?'),
        ("ml.m5.12xlage", 'Did you mean "ml.m5.12xlarge"?'),
        ("ml.gd4n.xlarge", 'Did you mean "ml.g4dn.xlarge"?'),
        ("ml.g8.xlarge", MAYBE_NEW),
        ("ml.m7g.large", MAYBE_NEW),
        ("ml.p6-b300.48xlarge", MAYBE_NEW),
        ("ml.trn2.48xlarge", MAYBE_NEW),
    ],
)
def test_a_guess_is_made_of_a_slip_and_of_nothing_that_may_be_new(text: str, hint: str) -> None:
    assert warned(text) == [hint]


def test_a_newer_model_knows_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert warned("ml.z9.large") == [MAYBE_NEW]
    write_model(tmp_path, newer_model())
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    instance_types._of_model.cache_clear()
    assert warned("ml.z9.large", "ml.t3.medium") == []


def test_a_model_that_cannot_be_used_adds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_model(tmp_path, b"{")
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    assert warned("ml.z9.large", "ml.t3.medium") == [MAYBE_NEW]
