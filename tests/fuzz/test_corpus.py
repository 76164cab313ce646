"""Every input that ever broke something, and some new ones, end in a value or in an error of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fuzz.session import Session
from tests.fuzz.targets import CORPUS, Target, all_targets

if TYPE_CHECKING:
    from collections.abc import Iterator

NEW_INPUTS = 60


@pytest.fixture
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    made: Target = request.param()
    yield made
    made.close()


@pytest.mark.parametrize("target", all_targets(), ids=lambda target: target.name, indirect=True)
def test_no_input_ends_in_an_error_that_is_not_ours(target: Target) -> None:
    session = Session(target, "suite", measures=False)
    session.play(count=NEW_INPUTS)
    assert session.executions > NEW_INPUTS
    assert not session.crashers, "\n".join(crasher.detail for crasher in session.crashers.values())


def test_every_folder_of_the_corpus_is_played() -> None:
    assert {path.name for path in CORPUS.iterdir()} <= {target.name for target in all_targets()}


def test_a_seed_gives_the_same_inputs_again() -> None:
    from tests.fuzz.targets import MembersTarget

    seen = []
    for _ in range(2):
        made: list[bytes] = []

        class Recorded(MembersTarget):
            def run(self, data: bytes, made: list[bytes] = made) -> str:
                made.append(data)
                return super().run(data)

        played = Recorded()
        Session(played, "again", measures=False).play(count=40)
        played.close()
        seen.append(made)
    assert seen[0] == seen[1]


def test_what_is_not_ours_is_a_finding_and_named_by_its_place() -> None:
    class Broken(Target):
        name = "broken"

        def seeds(self) -> Iterator[bytes]:
            yield b"x"

        def run(self, data: bytes) -> str:
            raise ZeroDivisionError(data)

    broken = Broken()
    session = Session(broken, "1", measures=False)
    session.play(count=3)
    broken.close()
    assert list(session.crashers) == ["ZeroDivisionError at outside"]
