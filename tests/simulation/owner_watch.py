"""Safety of user profiles and spaces, checked at every call about one and at every CreateApp in one.

Like `watch`, it knows the world and the answers that were delivered.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from engine.core.change import Action, OwnerReason
from engine.core.desired import holder_of
from engine.core.errors import OutcomeUnknown
from engine.core.identity import USER, Owner
from engine.core.outcome import Outcome
from engine.core.ownership import MANAGED_TAG
from engine.executor.cause import Cause
from engine.executor.troubles import UNKNOWN_CODE
from engine.simulator.world.records import DELETING, IN_SERVICE, Profile, Space
from tests.simulation.fleet_maker import FLEET_NAME
from tests.simulation.owner_maker import standing_owner
from tests.simulation.update_watch import OWNER_UPDATES, check_none_left, check_update, check_updated, why_untrue

if TYPE_CHECKING:
    from engine.core.change import OwnerChange
    from engine.core.desired import Tags
    from engine.core.errors import CloudError
    from engine.core.identity import OwnerKind
    from engine.core.outcome import ApplyReport, OwnerResult
    from engine.core.plan import Plan
    from engine.ports.owners import OwnerDetail
    from engine.simulator.world.records import AppId
    from tests.simulation.sim_cloud import Call
    from tests.simulation.watch import Watch

OWNER_CREATES: Final = frozenset({"CreateUserProfile", "CreateSpace"})
OWNER_DELETES: Final = frozenset({"DeleteUserProfile", "DeleteSpace"})
OWNER_WRITES: Final = OWNER_CREATES | OWNER_DELETES | OWNER_UPDATES
TICK: Final = 1e-6
SAME_GENERATION_SECONDS: Final = 0.002


class OwnerId(NamedTuple):
    """An owner inside the world; the name of a user profile is lower-cased."""

    domain_id: str
    kind: OwnerKind
    name: str


def owner_id(domain_id: str, kind: OwnerKind, name: str) -> OwnerId:
    """Return the key of an owner as the service compares it."""
    return OwnerId(domain_id, kind, name.lower() if kind == USER else name)


class OwnerWatch:
    """What one run does about owners."""

    @property
    def watch(self) -> Watch:
        """What the whole night is watched by."""
        return self._watch

    def __init__(self, watch: Watch, ids: dict[str, str], awaited_before: frozenset[Owner]) -> None:
        self.awaited_before = awaited_before  # by the run before, which compared none of them
        self._watch = watch
        self._ids = ids
        self.changes: dict[OwnerId, OwnerChange] = {}
        self.made: defaultdict[OwnerId, list[Profile | Space]] = defaultdict(list)
        self.unknown: Counter[OwnerId] = Counter()
        self._unknown_since: dict[OwnerId, tuple[float, Profile | Space | None]] = {}
        self.hidden: set[OwnerId] = set()  # what a listing has left out in this run
        self._writing: dict[OwnerId, str] = {}
        self._seen: dict[OwnerId, OwnerDetail] = {}  # what Describe last showed, until the delete that follows it
        self._told: dict[str, tuple[float, Tags]] = {}  # what ListTags last told of an ARN, and when it was asked
        self.retagged_at: dict[OwnerId, float] = {}  # when somebody else changed the tags, on the wall clock

    @property
    def awaited(self) -> frozenset[Owner]:
        """The owners that this run waits for, since somebody made or changed them."""
        return frozenset(one.owner for one in self.changes.values() if one.reason is OwnerReason.PENDING)

    def planned(self, plan: Plan) -> None:
        """Take in what will be done about owners."""
        self.changes = {self._id_of(change.owner): change for change in plan.owners}
        for key, change in self.changes.items():
            there = self._standing(key)
            theirs = there is not None and there.tags.get(MANAGED_TAG) != FLEET_NAME
            if change.action is Action.DELETE and theirs:
                self._watch.violation(f"the plan deletes {key}, which this fleet has not made")
        self._watch.seen.update(
            f"plan: {change.owner.kind} {change.action.value} because {change.reason.value}" for change in plan.owners
        )

    def made_owner(self, key: OwnerId, owner: Profile | Space, run: int) -> None:
        """Take in that a create of ours was carried out; of an earlier run it is nothing that this one did."""
        self._watch.say("carried out: create of", *key)
        if run == self._watch.runs:
            self.made[key].append(owner)

    def sending(self, call: Call) -> None:
        """Check a call about an owner that leaves."""
        key = call.owner
        if key is None or call.operation not in OWNER_WRITES:
            return
        if key in self._writing:
            self._watch.violation(f"{call.operation} of {key} while {self._writing[key]} of it is under way")
        self._writing[key] = call.operation
        if call.operation in OWNER_DELETES:
            self._check_delete(call, key)
        elif call.operation in OWNER_UPDATES:
            check_update(self, call, key)
        else:
            self._check_create(call, key)

    def _check_create(self, call: Call, key: OwnerId) -> None:
        watch, change = self._watch, self.changes.get(key)
        if watch.phase != "apply" or change is None or change.action is not Action.CREATE or change.after is None:
            watch.violation(f"{call.operation} of {key}, which the plan does not make")
            return
        if dict(call.tags).get(MANAGED_TAG) != FLEET_NAME:
            watch.violation(f"{call.operation} of {key} without the tag that says who made it")
        holder = holder_of(change.after)
        if holder is not None:
            self._check_served(call.operation, str(key), self._id_of(holder))
        there = self._standing(key)
        since, stood = self._unknown_since.pop(key, (float("-inf"), None))
        observe = watch.scenario.settings.observe
        if there is stood and watch.now() < since + observe.first_after + observe.second_after - TICK:
            watch.violation(f"{call.operation} of {key} {watch.now() - since:.1f} s after one of unknown outcome")
        if there is None:
            return
        if there.status == DELETING and _is_generation(there, change):
            watch.violation(f"{call.operation} of {key} before its delete has settled")
        if there in self.made[key] and there.status != DELETING:
            watch.violation(f"{call.operation} of {key}, which is {there.status} because of an earlier one of ours")

    def _check_delete(self, call: Call, key: OwnerId) -> None:
        watch, change = self._watch, self.changes.get(key)
        what = f"{call.operation} of {key}"
        if watch.phase != "apply" or change is None or change.action is not Action.DELETE or change.before is None:
            watch.violation(f"{what}, which the plan does not delete")
            return
        self.check_looked(what, key, change)
        self._check_emptied(what, key)

    def check_looked(self, what: str, key: OwnerId, change: OwnerChange) -> None:
        """Check that what is deleted or updated was read just before, with its tag, and that its intent is kept."""
        watch, before = self._watch, change.before
        if change.owner not in watch.journal.durable:
            watch.violation(f"{what} without a durable intent")
        seen = self._seen.pop(key, None)
        if seen is None or before is None:
            watch.violation(f"{what}, which was not read just before")
        elif abs(seen.row.created_at - before.created_at) > SAME_GENERATION_SECONDS:
            watch.violation(f"{what}, whose generation is not the plan's")
        else:
            self._check_tag(what, key, change, seen.arn)

    def _check_tag(self, what: str, key: OwnerId, change: OwnerChange, arn: str) -> None:
        """Check that the tag was read just before, that it was ours, and that it still was when it was asked for."""
        watch, there = self._watch, self._standing(key)
        asked_at, tags = self._told.pop(arn, (float("-inf"), ()))
        if asked_at == float("-inf"):
            watch.violation(f"{what}, whose tag was not read just before")
        elif dict(tags).get(MANAGED_TAG) != FLEET_NAME:
            watch.violation(f"{what}, whose tag was read and is not ours")
        if there is None or not _is_generation(there, change) or there.tags.get(MANAGED_TAG) == FLEET_NAME:
            return
        if self.retagged_at.get(key, float("-inf")) < watch.wall_of(asked_at):
            watch.violation(f"{what}, which this fleet has not made")

    def _check_emptied(self, what: str, key: OwnerId) -> None:
        """Check that everything in an owner that the plan deletes as well is gone before it."""
        watch = self._watch
        for app_key, app in watch.changes.items():
            if app_key[:3] == key and app.action is Action.DELETE and watch.stands_as_planned(app_key, app):
                watch.violation(f"{what} before {app_key} in it was gone")
        for space, other in self.changes.items():
            if key.kind != USER or space.kind == USER or space.domain_id != key.domain_id or other.before is None:
                continue
            held = other.action is Action.DELETE and other.before.owner_user.lower() == key.name
            stands = self._standing(space)
            if held and stands is not None and space not in self.hidden and _is_generation(stands, other):
                watch.violation(f"{what} before {space} that belongs to it was gone")

    def check_app(self, key: AppId) -> None:
        """Check a CreateApp against the owner that it needs."""
        self._check_served("CreateApp", str(key), OwnerId(key.domain_id, key.owner_kind, key.owner))

    def _check_served(self, operation: str, what: str, owner: OwnerId) -> None:
        """Check that an owner which this run makes or waits for has been in service."""
        if owner not in self.changes:
            return
        there = self._standing(owner)
        if there is not None and there.status == IN_SERVICE:
            return
        if self.changes[owner].action is Action.UPDATE:
            check_updated(self, f"{operation} of {what}", owner, there)
            return
        began = self._watch.began_wall
        if self._watch.world.owner_in_service_at.get(owner, float("-inf")) < began:
            self._watch.violation(f"{operation} of {what} before {owner} was in service")

    def answered(self, call: Call, answer: Any, error: CloudError | None) -> None:
        """Take in the answer of a call about an owner."""
        key = call.owner
        if call.operation == "ListTags" and answer is not None:
            self._told[call.arn] = (call.sent_at, answer)
        if key is not None and call.operation.startswith("Describe") and answer is not None:
            self._told.pop(answer.arn, None)  # what was read before this look was not read just before the delete
            self._seen[key] = answer
        if key is None or call.operation not in OWNER_WRITES:
            return
        del self._writing[key]
        if isinstance(error, OutcomeUnknown):
            self.unknown[key] += 1
            self._watch.seen.add(f"unknown outcome: {call.operation}")
            there = self._standing(key)
            if call.operation not in OWNER_CREATES:
                return
            if there is None or there.created_at < self._watch.wall_of(call.sent_at) - 0.01:
                self._unknown_since[key] = (self._watch.now(), there)

    def check_report(self, plan: Plan, report: ApplyReport) -> None:
        """Check that each owner of the plan has exactly one outcome, and that it is true."""
        watch = self._watch
        wanted = [] if plan.denied else sorted(change.owner for change in plan.owners)
        if wanted != sorted(result.owner for result in report.owners):
            watch.violation(f"outcomes of owners do not fit the plan: {wanted} and {report.owners}")
            return
        for result in report.owners:
            watch.seen.add(f"{result.owner.kind} {result.outcome.value}")
            if wrong := self._why_untrue(result):
                watch.violation(f"{result.owner} ended {result.outcome} ({result.error}), but {wrong}")

    def _may_have_made(self, owner: Owner) -> bool:
        key = self._id_of(owner)
        return bool(self.made[key] or self.unknown[key] or self._watch.late.is_in_doubt(owner))

    def why_not_made(self, owner: Owner) -> str:
        """Say why an owner is none that this run made and brought into service; empty where it is one."""
        if not self._may_have_made(owner):
            return "no create of its profile was carried out"
        at = self._watch.world.owner_in_service_at.get(self._id_of(owner), float("-inf"))
        return "" if at >= self._watch.began_wall else "its profile was not in service in this run"

    def _why_untrue(self, result: OwnerResult) -> str:  # noqa: PLR0911 - one look an outcome
        key, watch = self._id_of(result.owner), self._watch
        code = result.error.code if result.error is not None else ""
        change = self.changes[key]
        if change.action is Action.UPDATE and (wrong := why_untrue(self, result, change, self._standing(key))):
            return wrong
        match result.outcome:
            case Outcome.UNCHANGED if change.action is Action.UPDATE:
                return ""
            case Outcome.CREATED | Outcome.ADOPTED | Outcome.UNCHANGED:
                if result.outcome is Outcome.CREATED and not self._may_have_made(result.owner):
                    return "no create of it was carried out"
                there = self._standing(key)
                at = watch.world.owner_in_service_at.get(key, float("-inf"))
                served = at >= watch.began_wall or (there is not None and there.status == IN_SERVICE)
                return "" if served else "it was not in service in this run"
            case Outcome.UPDATED:
                return ""
            case Outcome.DELETED:
                there, change = self._standing(key), self.changes[key]
                gone = there is None or not _is_generation(there, change) or key in self.hidden
                return "" if gone else "it stands there"
            case Outcome.INTERRUPTED:
                return "" if watch.run.control.cause is Cause.INTERRUPTED else "nobody interrupted the run"
            case _:
                if not code:
                    return "nothing says why"
                doubt = self.unknown[key] or watch.faults_of_calls or watch.late.is_in_doubt(result.owner)
                if code == UNKNOWN_CODE and not doubt:
                    return "no call of it had an unknown outcome"
        there = self._standing(key)
        ours = there is not None and there in self.made[key] and there.status == IN_SERVICE
        settles = result.outcome is Outcome.STILL_PENDING or code == UNKNOWN_CODE or self.unknown[key]
        return "it is in service because of this run" if ours and not settles else ""

    def _standing(self, key: OwnerId) -> Profile | Space | None:
        return standing_owner(self._watch.world, key.domain_id, key.kind, key.name)

    def _id_of(self, owner: Owner) -> OwnerId:
        return owner_id(self._ids[owner.domain], owner.kind, owner.name)


def _is_generation(there: Profile | Space, change: OwnerChange) -> bool:
    """Whether what stands there is what the plan saw."""
    before = change.before
    return before is not None and abs(before.created_at - there.created_at) < SAME_GENERATION_SECONDS


def why_owners_not_converged(report: ApplyReport) -> list[str]:
    """Say which owners a run without trouble has not brought into service."""
    return [
        f"{result.owner} {result.outcome} ({result.error.message if result.error else ''})"
        for result in report.owners
        if result.outcome not in (Outcome.CREATED, Outcome.ADOPTED, Outcome.UNCHANGED, Outcome.UPDATED)
    ]


def check_no_owner_left(watch: Watch, plan: Plan) -> None:
    """Check a plan that is made when everything has converged: nothing is done about owners."""
    check_none_left(watch.owners, plan)
    for change in plan.owners:
        if change.reason not in (OwnerReason.PENDING, OwnerReason.OWNER_DRIFT):
            watch.violation(f"after convergence {change.owner} is still to be {change.action} ({change.reason})")
