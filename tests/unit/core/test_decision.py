"""The safety of single decisions, over every combination of what they depend on: no example is left to chance."""

from __future__ import annotations

from datetime import date
from itertools import product
from typing import TYPE_CHECKING

from engine.core.change import Action, Reason
from engine.core.decision import decide_declared, decide_undeclared, drifted_fields, ownership_matters
from engine.core.desired import Mode
from engine.core.identity import QuotaBucket
from engine.core.observed import AppStatus, ObservedApp, Ownership
from engine.core.plan import Fits
from tests.fleets import LANE, a_row, an_app, key_of, options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.core.decision import Decision
    from engine.core.desired import DesiredApp
    from engine.core.identity import AppKey
    from engine.core.plan_options import PlanOptions

KEY = key_of("research/space/alice-lab/JupyterLab/default")
NAMED: frozenset[AppKey] = frozenset({KEY})
NOT_NAMED: frozenset[AppKey] = frozenset()
FULL = {QuotaBucket(*LANE, "JupyterLab", "ml.g5.xlarge"): Fits.NO}
DESTRUCTIVE = (Action.DELETE, Action.DELETE_THEN_CREATE)


def _every_app() -> list[DesiredApp]:
    return [
        an_app(instance_type="ml.g5.xlarge", mode=mode, expires=expires)
        for mode, expires in product(Mode, (None, date(2026, 11, 23)))
    ]


def _every_row() -> list[ObservedApp | None]:
    rows: list[ObservedApp | None] = [None]
    rows += [
        a_row(status="Exploded" if status is AppStatus.UNKNOWN else status, instance_type=seen)
        for status, seen in product(AppStatus, ("ml.g5.xlarge", "ml.t3.medium"))
    ]
    return rows


def _every_option() -> list[PlanOptions]:
    return [
        options(
            replace_on_drift=replace_on_drift,
            allow_destructive=allowed,
            replace_keys=forced,
            once_done=made,
            quarantined=quarantined,
            denied_keys=denied,
            bucket_room=room,
        )
        for replace_on_drift, allowed, forced, made, quarantined, denied, room in product(
            (False, True), *((NOT_NAMED, NAMED),) * 5, ({}, FULL)
        )
    ]


def _every_decision() -> Iterator[tuple[DesiredApp, ObservedApp | None, Ownership, PlanOptions, Decision]]:
    for app, row, told in product(_every_app(), _every_row(), _every_option()):
        differs = drifted_fields(app, row, told)
        for ownership in Ownership:
            yield app, row, ownership, told, decide_declared(app, row, ownership, differs, told)


def test_what_is_destroyed_is_ours_or_has_no_tag_and_was_named() -> None:
    for app, row, ownership, told, decision in _every_decision():
        if decision.action in DESTRUCTIVE:
            assert row is not None
            assert row.status in (AppStatus.PENDING, AppStatus.IN_SERVICE)
            if ownership is not Ownership.OURS:
                assert ownership is Ownership.NOBODY  # read, and without a tag
                assert decision == (Action.DELETE, Reason.DECLARED_ABSENT, None)
                assert app.mode is Mode.ABSENT
                assert KEY in told.allow_destructive


def test_only_what_is_unwanted_is_deleted_and_only_what_is_wanted_is_made() -> None:
    for app, row, _, told, decision in _every_decision():
        unwanted = app.mode is Mode.ABSENT or app.expires is not None
        if decision.action is Action.DELETE:
            assert unwanted
        if decision.action in (Action.CREATE, Action.DELETE_THEN_CREATE):
            assert not unwanted
            assert not told.denied_keys
            assert not told.quarantined
        if decision.action is Action.CREATE:
            assert row is None or not row.status.is_alive or row.status is AppStatus.DELETING


def test_a_replace_has_a_cause_and_room() -> None:
    for _, row, _, told, decision in _every_decision():
        if decision.action is Action.DELETE_THEN_CREATE:
            assert row is not None
            assert row.status is AppStatus.IN_SERVICE
            assert not told.bucket_room or row.spec.instance_type == "ml.g5.xlarge"
            assert told.request.replace_keys or (
                told.request.replace_on_drift and row.spec.instance_type == "ml.t3.medium"
            )


def test_a_failed_app_of_mode_once_is_never_done() -> None:
    """Accepted by a run with --no-wait and Failed since: the journal knows it as made, and nobody ever used it."""
    for app, row, _, told, decision in _every_decision():
        if app.mode is not Mode.ONCE or app.expires is not None or row is None:
            continue
        if row.status is AppStatus.FAILED and not (told.denied_keys or told.quarantined):
            assert decision == (Action.CREATE, Reason.FAILED, None)
        if row.status is AppStatus.DELETED and told.once_done and not (told.denied_keys or told.request.replace_keys):
            assert decision == (Action.NONE, Reason.DONE_ONCE, None)


def test_ownership_matters_exactly_where_the_answer_changes_what_is_done() -> None:
    for app, row, told in product(_every_app(), _every_row(), _every_option()):
        if row is None:
            continue
        differs = drifted_fields(app, row, told)
        done = {decide_declared(app, row, whose, differs, told).action for whose in Ownership}
        unread = a_row(status=row.status_text or row.status, instance_type=row.spec.instance_type, ownership="unread")
        if row.status.is_alive:
            assert ownership_matters(app, unread, told, prune=False) is (len(done) > 1)
        assert not ownership_matters(app, row, told, prune=False)  # it is known already


def test_an_undeclared_app_goes_only_when_it_is_ours_alive_and_pruned() -> None:
    for row, ownership, prune in product(_every_row()[1:], Ownership, (False, True)):
        assert row is not None
        deleted = decide_undeclared(row, ownership, prune=prune).action is Action.DELETE
        living = row.status in (AppStatus.PENDING, AppStatus.IN_SERVICE)
        assert deleted is (ownership is Ownership.OURS and prune and living)
