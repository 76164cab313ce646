"""A plan that was approved before: saved in a file, or known by its fingerprint.

Reading it, holding it against the plan that is made now, and refusing it when it no longer fits. What it was made with
(selectors, --prune and the like) is taken from it, so that the plan made now is made the same way.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from engine.config.reading.beneath import FileProblem
from engine.config.reading.regular_file import read_regular
from engine.core.change import Action
from engine.core.errors import DeniedError, StalePlanError, UsageError
from engine.core.limits import CLOCK_SKEW_MAX_SECONDS, PLAN_FILE_MAX_BYTES
from engine.core.plan_json import plan_from_json
from engine.core.request import Request
from engine.core.stale import why_stale
from engine.core.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.app.options import AppOptions
    from engine.core.identity import AppKey
    from engine.core.plan import Plan
    from engine.core.shards import Shard

_AGAIN: Final = "Make it again with: appfleet plan --out FILE"


@dataclass(frozen=True, slots=True)
class Approval:
    """What the user approved beforehand; nothing, where both are empty, so that he is asked."""

    saved: Plan | None = None
    checksum: str = ""

    @property
    def given(self) -> bool:
        """Whether there is one, so that nobody has to be asked."""
        return self.saved is not None or bool(self.checksum)

    def check(self, made: Plan) -> None:
        """Raise StalePlanError when `made` is not what was approved. A denied plan runs nothing, so it passes."""
        if made.denied:
            return
        self.check_fingerprint(made.fingerprint)
        if self.saved is not None and (why := why_stale(self.saved, made)):
            raise StalePlanError(f"the saved plan is stale: {why}; nothing was changed", hint=_AGAIN)

    def check_fingerprint(self, made: str) -> None:
        """Raise StalePlanError when another fingerprint than that of the plan made now was approved."""
        if self.checksum and made != self.checksum:
            raise StalePlanError(
                f"the plan that would be made now has the fingerprint {made}, "
                f"and {self.checksum} was approved; nothing was changed",
                hint="Read it again with appfleet plan, and approve the fingerprint that it shows",
            )

    def confirm(self, ask: Callable[[Plan], bool]) -> Callable[[Plan], bool]:
        """Return what to ask before anything is changed: nobody, where it was approved beforehand."""
        return (lambda _: True) if self.given else ask


def approval_of(options: AppOptions, now: datetime) -> tuple[Approval, AppOptions]:
    """Read what was approved; give it with the options that a saved plan was made with.

    Raises StalePlanError for a plan that is not one, or is older than `plan_age_max_s`, DeniedError for one that was
    denied when it was made, and UsageError for a file that cannot be read, and for a shard.
    """
    if options.saved_plan is None:
        _refuse_shard(options.selectors.shard)
        return Approval(checksum=options.checksum), options
    if not isinstance(options.saved_plan, Path):
        raise UsageError(f"{options.saved_plan} holds the plans of shards", hint="Add --shard I/N")
    saved = plan_from_json(_document(options.saved_plan))
    if options.checksum and saved.fingerprint != options.checksum:
        raise StalePlanError(
            f"the saved plan {options.saved_plan} has the fingerprint {saved.fingerprint}, "
            f"and {clean(options.checksum, 80)} was approved; nothing was changed",
            hint="Somebody replaced or edited the file. Read it again, and approve the fingerprint that it has",
        )
    if saved.denied:
        raise DeniedError(
            f"the saved plan {options.saved_plan} was denied when it was made, by a mandatory rule or a guardrail",
            hint="Its findings say why. Fix that, then save a new plan: appfleet plan --out FILE",
        )
    check_age(saved.made_at, options, now)
    request = _made_with(saved)
    _refuse_shard(request.selectors.shard)
    return Approval(saved), replace(options, request=request, wave=wave_of(saved))


def wave_of(saved: Plan) -> frozenset[AppKey]:
    """Return the keys that a saved plan replaces: the plan that is made now replaces no others."""
    return frozenset(change.key for change in saved.changes if change.action is Action.DELETE_THEN_CREATE)


def _refuse_shard(shard: Shard | None) -> None:
    """Raise UsageError for a shard: what it may do is only known with the others."""
    if shard is not None:
        raise UsageError(
            f"shard {shard} cannot be applied alone: the limits of [safety] for all domains together, and rules over "
            "teams and the fleet, need all shards",
            hint="Plan every shard with --out PLANS, run appfleet gate, then: "
            f"appfleet apply --shard {shard} PLANS; or apply without --shard",
        )


def _document(path: Path) -> Any:
    """Read a file of our own making: a regular one, of bounded size."""
    try:
        text = read_regular(path, str(path), PLAN_FILE_MAX_BYTES)
    except FileProblem as problem:
        raise UsageError(f"the saved plan cannot be used: {problem.message}", hint=_AGAIN) from None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise StalePlanError(f"the saved plan is not used: {path} is not JSON", hint=_AGAIN) from None


def check_age(saved_at: str, options: AppOptions, now: datetime) -> None:
    """Raise StalePlanError for a plan that was made at a time that is too long ago, in the future or none."""
    try:
        said = datetime.fromisoformat(saved_at)
        made_at = None if said.tzinfo is None else said.astimezone(UTC)
    except (ValueError, OverflowError):  # OverflowError: the first or last day that there is, in another zone
        made_at = None
    if made_at is None:
        raise StalePlanError(f"the saved plan is not used: {clean(saved_at)} is not a time in UTC", hint=_AGAIN)
    age_s = (now - made_at).total_seconds()
    if age_s > options.plan_age_max_s:
        raise StalePlanError(
            f"the saved plan is {age_s:,.0f} s old, older than the {options.plan_age_max_s:,.0f} s of --plan-age-max",
            hint=f"{_AGAIN}, or allow more with --plan-age-max",
        )
    if age_s < -CLOCK_SKEW_MAX_SECONDS:
        raise StalePlanError(
            f"the saved plan was made {-age_s:,.0f} s in the future ({saved_at})",
            hint="Set this machine's clock, or that of the machine which made it",
        )


def _made_with(saved: Plan) -> Request:
    """Return what a plan was asked for. Raises StalePlanError for what no plan writes."""
    try:
        return Request.from_pairs(saved.options, saved.selectors)
    except (KeyError, UsageError) as error:
        said = error.message if isinstance(error, UsageError) else str(error)
        why = f"the saved plan is not used: it names what no plan has: {said}"
        raise StalePlanError(why, hint=_AGAIN) from None
