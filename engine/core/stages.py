"""From a plan to the order of the calls. The executor and the dry run both read this, so a dry run cannot lie.

Deletes come first where they free what a create needs; among creates the heavier weight goes first, and equal
weights are served round robin by team so that one big team does not starve a small one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.core.change import Action, Change
from engine.core.desired import DesiredApp, holder_of
from engine.core.identity import Owner
from engine.core.plan import Plan


@dataclass(frozen=True, slots=True)
class Step:
    """One change and its place in the order: a smaller `rank` goes first."""

    rank: int
    change: Change


def ordered_steps(plan: Plan, weight: Callable[[DesiredApp], float] = lambda _: 0.0) -> tuple[Step, ...]:
    """Order the changes of `plan`: adoptions, deletes, replaces, then creates by weight and round robin by team."""
    adopted = [change for change in plan.changes if change.action is Action.ADOPT]
    deletes = [change for change in plan.changes if change.action is Action.DELETE]
    replaces = [change for change in plan.changes if change.action is Action.DELETE_THEN_CREATE]
    creates = [change for change in plan.changes if change.action is Action.CREATE]
    ordered = [*adopted, *deletes, *_fairly(replaces, weight), *_fairly(creates, weight)]
    return tuple(Step(rank, change) for rank, change in enumerate(ordered))


def owner_ranks(plan: Plan, steps: Sequence[Step]) -> dict[Owner, int]:
    """Return the place of each owner of `plan` among its `steps`: that of the first app that needs it.

    A profile goes with the spaces that belong to it as well. What no create needs, a delete, comes after everything.
    """
    ranks = {change.owner: len(steps) for change in plan.owners}
    for step in reversed(steps):
        if step.change.action is Action.CREATE and step.change.key.owner_key in ranks:
            ranks[step.change.key.owner_key] = step.rank
    for change in plan.owners:
        holder = None if change.after is None else holder_of(change.after)
        if holder in ranks and change.action is not Action.DELETE:
            ranks[holder] = min(ranks[holder], ranks[change.owner])
    return ranks


def _fairly(changes: list[Change], weight: Callable[[DesiredApp], float]) -> list[Change]:
    turns: defaultdict[tuple[float, str], int] = defaultdict(int)
    placed: list[tuple[float, int, str, int]] = []
    for place, change in enumerate(changes):  # sorted by key already, so a team's turns follow its keys
        app = change.after
        team = app.team if app is not None else ""
        heavy = weight(app) if app is not None else 0.0
        turn = turns[heavy, team]
        turns[heavy, team] += 1
        placed.append((-heavy, turn, team, place))
    placed.sort()
    return [changes[place] for *_, place in placed]
