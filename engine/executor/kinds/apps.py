"""A change of an app: what it counts against, how it is sent, and the events that tell of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from engine.core.buckets import bucket_of
from engine.core.change import Action, Change, Reason
from engine.core.desired import AppSpec, Mode
from engine.core.drift import KERNEL_GATEWAY, SYSTEM, differing_fields
from engine.core.errors import NoCapacity, QuotaExceeded, QuotaFacts
from engine.core.hours import KEEP_UNTIL_TAG, why_kept
from engine.core.identity import AppKey, QuotaBucket, folded
from engine.core.observed import AppStatus, ObservedApp, Ownership
from engine.core.outcome import AppResult, Outcome
from engine.core.ownership import FLEET_TAG, tag_value, why_not_ours
from engine.core.quota_text import bucket_of_quota, quota_hint
from engine.core.training_plans import plan_arn
from engine.core.trouble import Trouble
from engine.executor.kinds.fallbacks import after_fallbacks
from engine.executor.operation import DELETING, OBSERVING, Kind, Operation, Phase
from engine.executor.rows import described_app
from engine.executor.troubles import not_made_again
from engine.ports.cloud import app_name
from engine.ports.events import (
    AppAdoptStarted,
    AppCreated,
    AppCreateStarted,
    AppDeleteStarted,
    AppOutcomeUnknown,
    AppRetried,
)

if TYPE_CHECKING:
    from collections.abc import Hashable

    from engine.core.desired import DesiredApp, Tags
    from engine.core.errors import CloudError
    from engine.core.identity import Lane, Owner
    from engine.core.ownership import Whose
    from engine.ports.cloud import Cloud
    from engine.ports.events import Event
    from engine.ports.journal import Journal

ACCOUNT_WIDE_WORDS: Final = "per account"  # in the names of quotas that count every app of the account
WELL: Final = frozenset({Outcome.CREATED, Outcome.REPLACED})
MADE: Final = WELL | {Outcome.STILL_PENDING}
OTHER_FIELDS: Final = "its fields are no longer those of the plan"
HOURS_BEGUN: Final = "hours_begun"
KEPT: Final = "kept"
KEPT_HINT: Final = f"A later run stops it. To let it go now, remove its tag {KEEP_UNTIL_TAG}"
UNKNOWN_STATUS: Final = "its status is one that appfleet does not know"

APP: Final = Kind(
    tag=FLEET_TAG,
    lags=True,
    failed_stands=False,
    explains=True,
    deletes_pending=False,
    always_awaited=False,
    holds=False,
)


@dataclass(slots=True, eq=False)
class AppOperation(Operation[Change, ObservedApp]):
    """A change of an app.

    `owed`: an earlier run deleted the app to replace it, and it has not been in service since.
    """

    kind = APP
    retried_as = AppRetried
    lost_as = AppOutcomeUnknown
    create_call = "CreateApp"
    delete_call = "DeleteApp"
    describe_call = "DescribeApp"
    adopt_call = "AddTags"
    named = ""
    conflict_hint = "Change the fleet to match the app, or delete the app, or apply with --replace KEY"

    described_at: float = float("-inf")  # when DescribeApp was last asked to confirm a verdict
    owed: bool = False

    def __post_init__(self) -> None:
        """Work the hash out once: every intent and the outcome carry it."""
        self.spec_hash = spec_hash(self.change.after)

    # What it is about.

    @property
    def key(self) -> AppKey:
        """The app's key."""
        return self.change.key

    @property
    def folded(self) -> AppKey:
        """The key as the service compares it."""
        return folded(self.change.key)

    @property
    def after(self) -> tuple[Hashable, ...]:
        """What comes before its call: its owner, where the run makes or updates that, and a place in its trials."""
        owner = () if self.change.action is Action.DELETE or self.is_delete else (self.key.owner_key,)
        return (*owner, *(trial for trial in self.trials if self not in trial.on_way))

    @property
    def is_on_its_way(self) -> bool:
        """Whether a create of it was accepted, or may have been, and looks show what comes of it."""
        return self.phase in (Phase.LOOK, Phase.OBSERVE_CREATE, Phase.SETTLE_CREATE)

    @property
    def app(self) -> DesiredApp:
        """The desired app. Every operation but a delete of something undeclared has one."""
        app = self.change.after
        if app is None:  # pragma: no cover - a create without a desired app cannot be planned
            raise AssertionError(f"{self.key}: no desired app")
        return app

    @property
    def instance_types(self) -> tuple[str, ...]:
        """What may be tried, in order; one empty text where the service chooses."""
        app = self.change.after
        if app is None or app.spec.instance_type is None:
            return ("",)
        return (app.spec.instance_type, *app.fallback)

    @property
    def _tried(self) -> AppSpec:
        """The spec with the instance type that is tried now."""
        return self._with_type(self.instance_type) if self.choice else self._spec

    @property
    def _spec(self) -> AppSpec:
        return AppSpec() if self.change.after is None else self.change.after.spec

    def _with_type(self, instance_type: str) -> AppSpec:
        return replace(self._spec, instance_type=instance_type or None)

    @property
    def scopes(self) -> tuple[str, ...]:
        """What a create counts against now; what makes nothing counts against nothing, and waits at no gate."""
        if self.phase is Phase.ADOPT or self.change.action is Action.DELETE:
            return ()
        return scopes_of(self.lane, self.key, self._tried)

    @property
    def scopes_in_turn(self) -> tuple[tuple[str, ...], ...]:
        """What a create counts against now, and behind it what it would count against with each type left to try."""
        kinds = self.instance_types[self.choice :] if self.scopes else ()
        return tuple(scopes_of(self.lane, self.key, self._with_type(kind)) for kind in kinds)

    @property
    def freed_scopes(self) -> tuple[str, ...]:
        """What there is more room in once the app is gone."""
        return scopes_of(self.lane, self.key, self.standing.spec)

    def gate_of(self, facts: QuotaFacts) -> tuple[str, str]:
        """Name the gate by the quota that a message names, so that all that share the quota share the gate."""
        lane_wide, bucket, *own = self.scopes
        if facts.user_profile:
            return (own[0] if own else bucket), ""
        if not facts.quota:
            return bucket, ""
        if ACCOUNT_WIDE_WORDS in facts.quota:
            return lane_wide, ""
        named = bucket_of_quota(facts.quota)
        name = facts.quota if named is None else str(QuotaBucket(*self.lane, *named))
        return name, "" if name == bucket else bucket

    def as_limit(self, error: CloudError) -> CloudError:
        """Return the error of a create, as one of its training plan where it speaks of no other limit.

        How the service says that a plan is full is not documented: it may be by want of capacity.
        """
        plan = plan_arn(self._spec.training_plan_arn)
        if plan is None or not isinstance(error, NoCapacity | QuotaExceeded):
            return error
        facts = error.facts if isinstance(error, QuotaExceeded) else QuotaFacts()
        if facts.quota or facts.user_profile:
            return error
        facts = replace(facts, training_plan=plan.name)
        return QuotaExceeded(
            error.message,
            facts=facts,
            hint=quota_hint(facts),
            service_code=error.service_code,
            operation=error.operation,
            request_id=error.request_id,
            retry_after_s=error.retry_after_s,
        )

    # What a look shows.

    def is_as_declared(self, row: ObservedApp) -> bool:
        """Whether an app is in a state that we know, and none of its declared fields differs."""
        return row.status is not AppStatus.UNKNOWN and not differing_fields(self.app, row.spec)

    def may_make(self, row: ObservedApp) -> bool:
        """Whether a row may be of the instance type that is tried now; the service chooses what "" and system are."""
        asked, shown = self.instance_type, row.spec.instance_type
        return shown is None or asked in ("", SYSTEM, shown)

    def described(self, row: ObservedApp) -> str:
        """Describe what stands in its place."""
        fields = (f"{name} {value}" for name, value in row.spec.to_json().items() if value is not None)
        return ", ".join((*fields, row.status_text or row.status.value))

    def changed_since(self, row: ObservedApp) -> str:
        """Say in which way a row that may be deleted is not what the plan saw; empty where it is the same."""
        if row.spec != self.standing.spec:
            return OTHER_FIELDS
        return "" if row.status is AppStatus.IN_SERVICE else UNKNOWN_STATUS

    def why_not_owned(self, found: Whose) -> str:
        """Say why the tag that was read just before a delete forbids it; empty where it does not.

        Where the plan found none, the key was named with --allow-destructive: that speaks for an app without a tag.
        """
        if found.ownership is self.standing.ownership:
            return ""
        return f"{why_not_ours(FLEET_TAG, found)}, which differs from when the plan was made"

    def spared(self, tags: Tags, wall: float) -> Trouble | None:
        """Return why an app whose hours are over stays: they have begun meanwhile, or its tag keeps it."""
        if self.change.reason is not Reason.OUTSIDE_HOURS or self.app.hours is None:
            return None
        now = datetime.fromtimestamp(wall, UTC)
        if self.app.hours.calendar.is_inside(now):
            return Trouble(HOURS_BEGUN, "not stopped: its hours have started since the plan was made")
        why = why_kept(tag_value(tags, KEEP_UNTIL_TAG) or "", now)
        return Trouble(KEPT, f"not stopped outside its hours: {why}", KEPT_HINT) if why else None

    # The calls.

    @property
    def declared_tags(self) -> Tags:
        """The tags that it is made with, besides the one that says whose it is."""
        return self.app.spec.tags

    async def make(self, cloud: Cloud, domain_id: str, tags: Tags) -> str:
        """Send CreateApp, with the instance type that is tried now."""
        return await cloud.create_app(app_name(domain_id, self.key), self._tried, tags)

    async def read(self, cloud: Cloud, domain_id: str) -> tuple[ObservedApp, str]:
        """Describe it: its row and its ARN."""
        detail = await cloud.describe_app(app_name(domain_id, self.key))
        return described_app(self.key.domain, detail), detail.arn

    async def drop(self, cloud: Cloud, domain_id: str) -> None:
        """Send DeleteApp."""
        await cloud.delete_app(app_name(domain_id, self.key))

    @property
    def stands_in(self) -> Owner | None:
        """The owner whose state may be why its create is refused."""
        return self.key.owner_key if self.phase is Phase.CREATE else None

    # The words.

    def may_be_taken_from(self, fleet: str | None) -> bool:
        """Whether nobody owns it, or the fleet that it moves from does."""
        before = self.standing
        return fleet is None or (before.ownership is Ownership.FOREIGN and fleet == before.foreign_fleet)

    def may_be_adopted(self, row: ObservedApp) -> bool:
        """Whether it is in service."""
        return row.status is AppStatus.IN_SERVICE

    def started(self, call: str) -> Event:
        """Return the event of a call that leaves."""
        if call == self.delete_call:
            return AppDeleteStarted(self.key, self.attempts)
        if call == self.adopt_call:
            return AppAdoptStarted(self.key, self.attempts)
        return AppCreateStarted(self.key, self.attempts, self.instance_type)

    def accepted(self, call: str, now: float) -> Event | None:
        """Return the event of a create that the service accepted."""
        if call == self.delete_call:
            return None
        return AppCreated(self.key, self.attempts, round(now - self.sent_at, 3), self.instance_type)

    def ended(self, outcome: Outcome, seconds: float, trouble: Trouble | None) -> AppResult:
        """Return its result."""
        told = after_fallbacks(self, trouble)
        gone = self.deleted and told is not None and outcome not in MADE
        return AppResult(
            key=self.key,
            action=self.change.action,
            outcome=outcome,
            attempts=self.attempts,
            seconds=seconds,
            instance_type=self.instance_type,
            arn=self.arn,
            error=not_made_again(told) if gone and told is not None else told,
            gone=gone,
        )

    def remember(self, result: AppResult, journal: Journal, now: float, wall: float) -> None:
        """Record its end in the journal, with what the next runs have to know of it."""
        app, outcome = self.change.after, result.outcome
        had_drifted = self.change.reason is Reason.DRIFT
        journal.conclude(
            result,
            self.spec_hash,
            wall,
            once=app is not None and app.mode is Mode.ONCE and self.ours and outcome in MADE,
            counts_as_failure=self.counts_as_failure and outcome is Outcome.FAILED,
            in_doubt=self.in_doubt(outcome, now),
            owed=self.is_owed(),
            replaced_at=self.sent_wall if outcome is Outcome.REPLACED and had_drifted else 0.0,
            unseen_at=self.sent_wall if outcome in WELL and self.ours and not self.in_service else 0.0,
        )

    def in_doubt(self, outcome: Outcome, now: float) -> bool:
        """Whether it ends as `outcome` while a call of it may still be carried out, as far as anybody knows."""
        if self.in_service:
            return False
        if outcome is Outcome.DELETED:  # by a second call: the first, of which nobody knows, may come yet
            return now < self.doubt_until
        waits = self.ours and self.phase in (Phase.LOOK, Phase.AWAIT_DELETING)
        unknown = self.cut_off or waits or self.phase in OBSERVING or now < self.doubt_until
        return unknown or outcome is Outcome.STILL_PENDING

    def is_owed(self) -> bool:
        """Whether the app was deleted, or may be, to be replaced, and is not in service again.

        A lost DeleteApp keeps it owed however long ago it was sent: what a later run sees settles it.
        """
        if self.in_service or self.change.action is Action.DELETE:
            return False
        lost = self.doubt_until > float("-inf")
        deleting = self.phase in DELETING or (self.is_delete and (self.cut_off or lost))
        return self.owed or self.deleted or deleting


def first_phase(change: Change) -> Phase:
    """Return where a change begins; a declared app that is Pending has no call, and is settled all the same."""
    if change.action is Action.NONE:
        return Phase.SETTLE_CREATE
    if change.action is Action.ADOPT:
        return Phase.ADOPT
    if change.action is Action.CREATE:
        return Phase.AWAIT_DELETING if change.reason is Reason.DELETING else Phase.CREATE
    pending = change.before is not None and change.before.status is AppStatus.PENDING
    return Phase.AWAIT_PENDING if pending else Phase.DELETE


def spec_hash(app: DesiredApp | None) -> str:
    """Return 16 hexadecimal digits that change when what is asked for changes; empty for an undeclared app."""
    if app is None:
        return ""
    asked = {**app.spec.to_json(), "fallback": list(app.fallback)}
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


def scopes_of(lane: Lane, key: AppKey, spec: AppSpec) -> tuple[str, ...]:
    """Name what an app counts against: the whole lane, its bucket, and for KernelGateway its owner's own limit."""
    bucket = bucket_of(lane, key.app_type, spec)
    scopes = (f"{lane}/all apps", str(bucket))
    if key.app_type == KERNEL_GATEWAY:
        return (*scopes, f"{key.owner_key}/{KERNEL_GATEWAY}/{bucket.instance_type}")
    return scopes
