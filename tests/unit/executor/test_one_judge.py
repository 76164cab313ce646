"""One judge says of apps and of owners what each of the two said that it stands for, in every situation.

A situation is what a judge reads: phase, row, generations, notes of earlier looks, and time. Also what it notes has to
agree, so that what holds for one look holds for a row of them.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from engine.core.change import Action, OwnerChange, OwnerReason
from engine.core.desired import DesiredOwner
from engine.core.identity import SPACE, Owner
from engine.core.observed import ObservedOwner
from engine.core.settings import Observe
from engine.executor.judge import Scan, Verdict, judge, needs_asking
from engine.executor.operation import OBSERVING, Phase
from engine.executor.owner_operation import OwnerOperation
from tests.fleets import LANE, SOURCE, a_row
from tests.unit.executor import old_app_judge, old_owner_judge
from tests.unit.executor.parts import an_operation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.executor.operation import Operation

OBSERVE: Final = Observe(first_after=5.0, second_after=10.0)
PRIOR_AT: Final = 5_000.0
SENT_AT: Final = 6_000.0
# Long before, before, the same one told less exactly, too old to be ours, ours by a clock that is behind, and new.
GENERATIONS: Final = (4_000.0, 4_998.0, PRIOR_AT + 0.4, 5_500.0, 5_900.0, SENT_AT)
NOW: Final = 1_000.0
AGES: Final = (2.0, 20.0, 200.0)  # of the call that is asked about: unseen as yet, may lag, should be shown
LATELY, LONG_AGO, TO_COME = NOW - 4.0, NOW - 100.0, NOW + 100.0
APP_PHASES: Final = (
    Phase.SETTLE_CREATE,
    Phase.LOOK,
    Phase.OBSERVE_CREATE,
    Phase.AWAIT_DELETING,
    Phase.AWAIT_PENDING,
    Phase.SETTLE_DELETE,
    Phase.OBSERVE_DELETE,
)
OWNER_PHASES: Final = tuple(phase for phase in APP_PHASES if phase is not Phase.AWAIT_PENDING)
COUNTED: Final = frozenset(APP_PHASES) - {Phase.LOOK, Phase.OBSERVE_CREATE}  # in which an absence is noted
APP_STATUSES: Final = ("Pending", "InService", "Deleting", "Failed", "Deleted", "Exploded")
OWNER_STATUSES: Final = ("Pending", "Updating", "InService", "Deleting", "Failed", "Delete_Failed", "Update_Failed")


class Notes(NamedTuple):
    """What an operation and a look say besides the row."""

    phase: Phase
    prior: Any
    ours: bool
    other: bool  # of an app: it was deleted to be replaced; of an owner: it was taken over as it stood
    age_s: float
    absent_since: float | None
    first_scan_ended_at: float | None
    unseen_until: float
    clock_ahead_s: float


def situations(phases: tuple[Phase, ...], priors: tuple[Any, ...]) -> Iterator[Notes]:
    """Every combination of what the judges read in each phase."""
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


def note(operation: Operation | OwnerOperation, notes: Notes) -> Scan:
    """Set an operation as `notes` say; return the look."""
    operation.phase, operation.prior, operation.ours = notes.phase, notes.prior, notes.ours
    operation.deleted = operation.adopted = notes.other
    if isinstance(operation, OwnerOperation):
        operation.deleted = False
    operation.accepted_at = operation.unknown_at = NOW - notes.age_s
    operation.absent_since, operation.first_scan_ended_at = notes.absent_since, notes.first_scan_ended_at
    operation.unseen_until, operation.sent_wall = notes.unseen_until, SENT_AT
    return Scan(NOW, NOW + 0.5, notes.clock_ahead_s)


def verdict(
    judged: Callable[..., Verdict], operation: Operation | OwnerOperation, row: Any, notes: Notes
) -> tuple[Verdict, float | None, float | None]:
    """Return what a judge says, and notes where another look follows that reads it."""
    said = judged(operation, row, note(operation, notes), OBSERVE)
    if said is not Verdict.KEEP:
        return said, None, None
    counted = notes.phase is Phase.SETTLE_CREATE if isinstance(operation, OwnerOperation) else notes.phase in COUNTED
    return said, operation.absent_since if counted else None, operation.first_scan_ended_at


def app_rows() -> list[Any]:
    types = ("ml.t3.medium", "ml.m5.large", None)
    return [None, *(a_row(instance_type=kind, status=status, created_at=at) for kind, status, at
                    in product(types, APP_STATUSES, GENERATIONS))]  # fmt: skip


def test_of_apps_the_one_judge_says_what_theirs_said() -> None:
    before = a_row(created_at=PRIOR_AT)
    operations = [an_operation(instance_type=kind, action=Action.DELETE_THEN_CREATE, before=before)
                  for kind in ("ml.t3.medium", None)]  # fmt: skip
    rows, priors = app_rows(), (None, *(a_row(status=status, created_at=PRIOR_AT) for status in APP_STATUSES))
    judged = 0
    for notes, operation in product(situations(APP_PHASES, priors), operations):
        for row in rows:
            judged += 1
            new = verdict(judge, operation, row, notes)
            assert new == verdict(old_app_judge.judge, operation, row, notes), (notes, row)
            old_asks = old_app_judge.needs_asking(operation, new[0], row)
            assert needs_asking(operation, new[0], row) is old_asks, (notes, row)
    assert judged > 100_000


NAME: Final = Owner("research", SPACE, "alice-lab")
DECLARED: Final = DesiredOwner(NAME, SOURCE, owner_user="alice", sharing="Private", app_type="JupyterLab")


def an_owner(status: str, at: float, **more: Any) -> ObservedOwner:
    return ObservedOwner(NAME, status, at, **more)


def owner_rows() -> list[Any]:
    kinds: tuple[dict[str, str], ...] = (
        {},
        {"owner_user": "ALICE", "app_type": "JupyterLab"},
        {"owner_user": "bob"},
        {"app_type": "CodeEditor"},
    )
    return [None, *(an_owner(status, at, **kind) for kind, status, at
                    in product(kinds, OWNER_STATUSES, GENERATIONS))]  # fmt: skip


def _same(row: ObservedOwner | None, notes: Notes) -> bool:
    return row is not None and notes.prior is not None and abs(row.created_at - notes.prior.created_at) < 1.0


def is_older_than_what_ends(row: ObservedOwner | None, notes: Notes) -> bool:
    """Whether the old judge took what is older than what is deleted for what follows it: it is a listing that lags.

    The new one takes it for no row, as for apps, and lets the owner itself be asked about.
    """
    if row is None or row.created_at >= PRIOR_AT - 1.0:
        return False
    awaits = notes.phase is Phase.AWAIT_DELETING and notes.prior is not None
    return awaits or notes.phase is Phase.OBSERVE_DELETE


def is_update_failed_of_what_was_going(row: ObservedOwner | None, notes: Notes) -> bool:
    """Whether the old judge took the state that an owner had before it was seen going for the news.

    It knew InService, Pending and Updating for states that nothing comes back to, and forgot Update_Failed.
    """
    looks = notes.phase in (Phase.LOOK, Phase.OBSERVE_CREATE, Phase.AWAIT_DELETING)
    return looks and _same(row, notes) and row is not None and row.status == "Update_Failed"


def is_row_of_the_generation_before(row: ObservedOwner | None, notes: Notes) -> bool:
    """Whether the old judge took the generation before for the one that was accepted or taken over.

    It did so at once for what was taken over, and for the other after a minute. The new one asks, as for apps.
    """
    return notes.phase is Phase.SETTLE_CREATE and _same(row, notes)


EXCEPTIONS: Final = (
    is_older_than_what_ends,
    is_update_failed_of_what_was_going,
    is_row_of_the_generation_before,
)


def test_of_owners_the_one_judge_says_what_theirs_said_but_where_that_was_laxer() -> None:
    operation = OwnerOperation(
        0,
        OwnerChange(NAME, Action.CREATE, OwnerReason.ABSENT, an_owner("InService", PRIOR_AT), DECLARED),
        LANE,
        Phase.CREATE,
    )
    rows, priors = owner_rows(), (None, an_owner("Deleting", PRIOR_AT))
    judged, differing = 0, set()
    for notes in situations(OWNER_PHASES, priors):
        for row in rows:
            judged += 1
            new, old = (verdict(one, operation, row, notes) for one in (judge, old_owner_judge.judge_owner))
            excused = [one for one in EXCEPTIONS if one(row, notes)]
            assert new == old or excused, (notes, row, new, old)
            differing |= {one for one in excused if new != old}
    assert judged > 100_000
    assert differing == set(EXCEPTIONS)


def test_of_owners_what_was_asked_about_is_asked_about() -> None:
    """Of what a listing does not show, and of a state that it shows again.

    Before a delete that is sent again the owner is read in any case.
    """
    operation = OwnerOperation(
        0,
        OwnerChange(NAME, Action.CREATE, OwnerReason.ABSENT, an_owner("InService", PRIOR_AT), DECLARED),
        LANE,
        Phase.CREATE,
    )
    for notes, row in product(situations(OWNER_PHASES, (None, an_owner("Deleting", PRIOR_AT))), owner_rows()):
        said = judge(operation, row, note(operation, notes), OBSERVE)
        asked = said is not Verdict.KEEP and (row is None or old_owner_judge.is_stale(operation, row))
        if asked and not (notes.phase is Phase.OBSERVE_DELETE and said is Verdict.RESEND):
            assert needs_asking(operation, said, row), (notes, row, said)
