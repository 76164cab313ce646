"""What to do about apps of another fleet: the command has the selection that was asked for."""

from __future__ import annotations

import pytest

from engine.core.identity import parse_app_key
from engine.core.observed import Ownership
from engine.core.ownership import Whose, not_owned, way_to_move
from engine.core.selectors import Selectors
from engine.core.shards import Shard
from tests.fleets import LAB


@pytest.mark.parametrize(
    ("selectors", "words"),
    [
        (Selectors(), "renamed: appfleet apply --adopt --from-fleet 'old name'"),
        (
            Selectors(domains=("research",), teams=("vis*",)),
            "renamed: appfleet apply --domain research --team 'vis*' --adopt --from-fleet 'old name'",
        ),
        (Selectors(shards=(Shard(0, 4),)), "renamed: appfleet apply --adopt --from-fleet 'old name'"),
        (
            Selectors(users=tuple("abcdefg")),
            "renamed, with the same selection: appfleet apply --adopt --from-fleet 'old name'",
        ),
    ],
)
def test_the_command_that_moves_apps_has_the_selection_of_this_one(selectors: Selectors, words: str) -> None:
    assert way_to_move("old name", selectors).endswith(words)
    whose = Whose(Ownership.FOREIGN, "old name")
    assert not_owned(whose, "replaced", parse_app_key(LAB), selectors)[1].endswith(words)
