"""What holds of every verdict on apps and owners alike, in every situation that there is.

A situation is what the judge reads: phase, row, generations, notes of earlier looks, and time.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from engine.core.change import Action, OwnerChange, OwnerReason
from engine.core.desired import DesiredOwner
from engine.core.identity import SPACE, Owner
from engine.core.limits import CLOCK_SKEW_MAX_SECONDS
from engine.core.observed import ObservedOwner
from engine.core.settings import Observe
from engine.executor.judge import Scan, Verdict, judge, needs_asking
from engine.executor.kinds.owners import OwnerOperation
from engine.executor.operation import ASKED, OBSERVING, Phase
from tests.fleets import LANE, SOURCE, a_row
from tests.unit.executor.parts import an_operation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.executor.kinds.apps import AppOperation

OBSERVE: Final = Observe(first_after=5.0, second_after=10.0)
PRIOR_AT: Final = 5_000.0
SENT_AT: Final = 6_000.0
# Long before, before, the same one told less exactly, too old to be ours, ours by a clock that is behind, and new.
GENERATIONS: Final = (4_000.0, 4_998.0, PRIOR_AT + 0.4, 5_500.0, 5_900.0, SENT_AT)
NOW: Final = 1_000.0
AGES: Final = (2.0, 20.0, 200.0)  # of the call that is asked about: unseen as yet, may lag, should be shown
LATELY, LONG_AGO, TO_COME = NOW - 4.0, NOW - 100.0, NOW + 100.0
APP_PHASES: Final = (
    ASKED - {Phase.OBSERVE_UPDATE}
    | {Phase.AWAIT_DELETING, Phase.AWAIT_PENDING}
    | {Phase.SETTLE_CREATE, Phase.SETTLE_DELETE}
)
OWNER_PHASES: Final = APP_PHASES - {Phase.AWAIT_PENDING}
ABSENT: Final = frozenset({Verdict.REMOVED, Verdict.CREATE, Verdict.DELETED, Verdict.TRY_LATER, Verdict.RESEND})
COUNTED: Final = APP_PHASES - {Phase.LOOK, Phase.OBSERVE_CREATE}  # in which an absence is noted
APP_STATUSES: Final = ("Pending", "InService", "Deleting", "Failed", "Deleted", "Exploded")
OWNER_STATUSES: Final = ("Pending", "Updating", "InService", "Deleting", "Failed", "Delete_Failed", "Update_Failed")


class Notes(NamedTuple):
    """What an operation and a look say besides the row."""

    phase: Phase
    prior: Any
    ours: bool
    deleted: bool  # to be replaced
    age_s: float
    absent_since: float | None
    first_scan_ended_at: float | None
    unseen_until: float
    clock_ahead_s: float


def situations(phases: frozenset[Phase], priors: tuple[Any, ...]) -> Iterator[Notes]:
    """Every combination of what the judge reads in each phase."""
    for phase in phases:
        observing = phase in OBSERVING
        yield from (
            Notes(*one)
            for one in product(
                (phase,),
                priors,
                (False, True),
                (False, True),
                AGES,
                (None, LATELY, LONG_AGO) if phase in COUNTED else (None,),
                (None, LATELY, LONG_AGO) if observing else (None,),
                (float("-inf"), TO_COME) if observing else (float("-inf"),),
                (0.0, 200.0) if phase is Phase.SETTLE_CREATE else (0.0,),
            )
        )


def note(operation: AppOperation | OwnerOperation, notes: Notes) -> Scan:
    """Set an operation as `notes` say; return the look."""
    operation.phase, operation.prior, operation.ours = notes.phase, notes.prior, notes.ours
    operation.deleted = notes.deleted
    operation.accepted_at = operation.unknown_at = NOW - notes.age_s
    operation.absent_since, operation.first_scan_ended_at = notes.absent_since, notes.first_scan_ended_at
    operation.unseen_until, operation.sent_wall = notes.unseen_until, SENT_AT
    return Scan(NOW, NOW + 0.5, notes.clock_ahead_s)


def app_rows() -> list[Any]:
    types = ("ml.t3.medium", "ml.m5.large")
    return [None, *(a_row(instance_type=kind, status=status, created_at=at) for kind, status, at
                    in product(types, APP_STATUSES, GENERATIONS))]  # fmt: skip


NAME: Final = Owner("research", SPACE, "alice-lab")
DECLARED: Final = DesiredOwner(NAME, SOURCE, owner_user="alice", sharing="Private", app_type="JupyterLab")


def an_owner(status: str, at: float, **more: Any) -> ObservedOwner:
    return ObservedOwner(NAME, status, at, **more)


def owner_rows() -> list[Any]:
    kinds: tuple[dict[str, str], ...] = ({}, {"owner_user": "bob"})
    return [None, *(an_owner(status, at, **kind) for kind, status, at
                    in product(kinds, OWNER_STATUSES, GENERATIONS))]  # fmt: skip


AN_APP: Final[Any] = an_operation(action=Action.DELETE_THEN_CREATE, before=a_row(created_at=PRIOR_AT))
AN_OWNER: Final[Any] = OwnerOperation(
    0,
    OwnerChange(NAME, Action.CREATE, OwnerReason.ABSENT, an_owner("InService", PRIOR_AT), DECLARED),
    LANE,
    Phase.CREATE,
)


def judged(phases: frozenset[Phase]) -> Iterator[tuple[Any, Any, Notes, Verdict]]:
    """Every verdict in some phases, with its operation, its row and what is noted."""
    priors_of_apps = (None, *(a_row(status=status, created_at=PRIOR_AT) for status in APP_STATUSES))
    apps = (AN_APP, app_rows(), situations(APP_PHASES & phases, priors_of_apps))
    owners = (AN_OWNER, owner_rows(), situations(OWNER_PHASES & phases, (None, an_owner("Deleting", PRIOR_AT))))
    for operation, rows, noted in (apps, owners):
        for notes, row in product(noted, rows):
            yield operation, row, notes, judge(operation, row, note(operation, notes), OBSERVE)


def is_of_prior(row: Any, notes: Notes) -> bool:
    return row is not None and notes.prior is not None and abs(row.created_at - PRIOR_AT) < 1.0


def test_a_look_that_began_too_early_says_nothing_and_notes_nothing() -> None:
    for operation, row, notes, said in judged(OBSERVING):
        if notes.age_s < OBSERVE.first_after:
            noted = (operation.absent_since, operation.first_scan_ended_at)
            assert (said, noted) == (Verdict.KEEP, (notes.absent_since, notes.first_scan_ended_at)), (notes, row)


def test_nothing_is_sent_again_before_two_looks_far_enough_apart_whatever_they_show() -> None:
    for _, row, notes, said in judged(OBSERVING):
        if said is Verdict.RESEND:
            assert notes.first_scan_ended_at == LONG_AGO, (notes, row)
            assert notes.unseen_until != TO_COME, (notes, row)


def test_the_generation_before_is_no_news_of_what_was_accepted_good_or_bad() -> None:
    for operation, row, notes, said in judged(frozenset({Phase.SETTLE_CREATE})):
        if is_of_prior(row, notes):
            assert said is (Verdict.KEEP if notes.age_s < 60.0 else Verdict.ASK), (notes, row)
        elif said is Verdict.ASK:
            assert operation.kind.lags, (notes, row)


def test_ours_is_what_a_create_of_ours_can_have_made() -> None:
    for _, row, notes, said in judged(frozenset({Phase.LOOK, Phase.OBSERVE_CREATE, Phase.AWAIT_DELETING})):
        if said is Verdict.OURS:
            assert notes.ours, (notes, row)
            assert row.created_at >= SENT_AT - CLOCK_SKEW_MAX_SECONDS, (notes, row)
            assert not is_of_prior(row, notes), (notes, row)


def test_what_was_seen_going_is_not_taken_over_by_a_row_that_shows_it_as_before() -> None:
    for _, row, notes, said in judged(frozenset({Phase.LOOK, Phase.OBSERVE_CREATE, Phase.AWAIT_DELETING})):
        back = is_of_prior(row, notes) and row.status not in ("Deleting", "Failed", "Deleted", "Delete_Failed")
        if back and notes.prior.status == "Deleting":
            assert said not in (Verdict.ADOPT, Verdict.OURS, Verdict.CONFLICT), (notes, row)


def test_an_absence_is_believed_of_two_looks_or_of_an_answer_about_the_very_name() -> None:
    for operation, row, notes, said in judged(APP_PHASES):
        if row is not None or said not in ABSENT:
            continue
        twice = LONG_AGO in (notes.absent_since, notes.first_scan_ended_at)
        assert twice or not operation.kind.lags or notes.phase is Phase.LOOK, notes
        assert needs_asking(operation, said, None), notes


def test_a_row_of_what_was_there_before_that_which_is_deleted_is_as_none() -> None:
    for operation, row, notes, said in judged(frozenset({Phase.SETTLE_DELETE, Phase.OBSERVE_DELETE})):
        if row is not None and row.created_at < PRIOR_AT - 1.0:
            assert said is judge(operation, None, note(operation, notes), OBSERVE), (notes, row)
