"""The simulated account: what is there, what time does to it, and the limits that it sets.

A pure state machine: the time is passed in as epoch seconds with each call, chance comes from a seeded generator, and
nothing is read or written. A time before the last one counts as the last one, so the world never runs backwards.
Not here: what each operation does (`app_operations`, `owner_operations`, …) and how it is called (`api`).
"""

from __future__ import annotations

import heapq
import random
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from engine.core.limits import TOMBSTONE_SECONDS
from engine.simulator.world.catalog import PRICES
from engine.simulator.world.faults import FailureRule, FaultBook
from engine.simulator.world.identity_center import IdentityCenter
from engine.simulator.world.ingredients import Ingredients
from engine.simulator.world.listing import CreationIndex
from engine.simulator.world.quotas import Quotas
from engine.simulator.world.records import (
    DELETED,
    DELETING,
    FAILED,
    IN_SERVICE,
    PENDING,
    UPDATE_FAILED,
    UPDATING,
    App,
    AppId,
    Bucket,
    Domain,
    Profile,
    Space,
)
from engine.simulator.world.request_limit import RequestLimit, TokenBucket
from engine.simulator.world.service_error import ServiceError
from engine.simulator.world.stats import Stats
from engine.simulator.world.values import NEVER, Number, Range

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.core.identity import Lane
    from engine.simulator.world.training_plans import TrainingPlan

Record = App | Profile | Space | Domain

HEALTH_CHECK_SECONDS: Final = 300.0  # assumed: the service documents that it checks, and not how often
DEFAULT_ACCOUNT: Final = "000000000000"
KERNEL_GATEWAY: Final = "KernelGateway"
_THROTTLE_CODES: Final = {
    "GetCallerIdentity": "Throttling",
    "AssumeRole": "Throttling",
    "GetRole": "Throttling",
    "ListServiceQuotas": "TooManyRequestsException",
    "GetServiceQuota": "TooManyRequestsException",
    "RequestServiceQuotaIncrease": "TooManyRequestsException",
    "GetResources": "ThrottledException",
    "GetProducts": "ThrottlingException",
}


class Change(Protocol):
    """Something that is to happen to the world by itself, at a time."""

    def apply(self, world: World) -> None:
        """Do it; `world.now` is the time that was set."""
        ...


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things take, in seconds, each between two bounds.

    `answer` is how long an answer takes over HTTP, `sts_answer` one of STS, and `health_check` what lies between two
    health checks of an app.
    """

    app_pending: Range = (0.5, 1.5)
    app_deleting: Range = (0.5, 1.5)
    profile_pending: Range = (0.2, 0.5)
    profile_updating: Range = (0.2, 0.5)
    profile_deleting: Range = (0.2, 0.5)
    space_pending: Range = (0.2, 0.5)
    space_updating: Range = (0.2, 0.5)
    space_deleting: Range = (0.2, 0.5)
    space_storage: Range = (0.0, 0.0)
    answer: Range = (0.0, 0.0)
    sts_answer: Range = (0.0, 0.0)
    tombstone: Number = TOMBSTONE_SECONDS
    health_check: Number = HEALTH_CHECK_SECONDS


class World:
    """One or more simulated accounts. Everything in it is plain data that the operations read and change."""

    def __init__(
        self,
        *,
        timing: Timing | None = None,
        quotas: Quotas | None = None,
        request_limits: dict[str, RequestLimit | None] | None = None,
        rng: random.Random | None = None,
        account: str = DEFAULT_ACCOUNT,
    ) -> None:
        self.now = 0.0
        self.timing = timing or Timing()
        self.quotas = quotas or Quotas()
        self.request_limits: dict[str, RequestLimit | None] = request_limits or {}
        self.rng = rng or random.Random(0)
        self.account = account  # of callers whose credentials name none
        self.scenario = ""  # the digest of the scenario that was laid over this world
        self.prices = dict(PRICES)  # USD per hour by instance type
        self.center = IdentityCenter()
        self.ingredients = Ingredients()
        self.external_ids: dict[str, str] = {}  # what the trust policy of a role requires, by the role's ARN
        self.faults = FaultBook()
        self.failures: list[FailureRule] = []
        self.update_failures: list[FailureRule] = []  # of profiles and spaces; of these rules `owner` alone counts
        self.keep_replaced_rows = False  # ListApps shows the tombstone beside the app that was made again
        self.stats = Stats()
        self.domains: dict[str, Domain] = {}
        self.apps: dict[AppId, App] = {}  # the newest of each key
        self.by_arn: dict[str, Record] = {}  # by the ARN in lower case
        self.apps_by_domain: defaultdict[str, CreationIndex[App]] = defaultdict(CreationIndex)
        self.apps_by_owner: defaultdict[tuple[str, str, str], CreationIndex[App]] = defaultdict(CreationIndex)
        self.rows_by_lane: defaultdict[Lane, CreationIndex[Record]] = defaultdict(CreationIndex)
        self._domains_by_lane: defaultdict[Lane, list[Domain]] = defaultdict(list)
        self.owners_by_domain: defaultdict[tuple[str, type[Record]], CreationIndex[Any]] = defaultdict(CreationIndex)
        self.training_plans: dict[str, TrainingPlan] = {}  # by ARN
        self.bucket_usage: Counter[Bucket] = Counter()
        self.plan_usage: Counter[str] = Counter()
        self.running: Counter[tuple[str, str]] = Counter()
        self.kernels_of_user: Counter[tuple[str, str, str]] = Counter()
        self.after_first_create: list[tuple[float, Change]] = []  # their time counts from the first CreateApp
        self._token_buckets: dict[tuple[Lane, str], TokenBucket] = {}
        self._heap: list[tuple[float, int, App | Profile | Space | Change]] = []
        self._seq = 0

    # Time.

    def advance(self, now: float) -> None:
        """Carry out everything that is due until `now`, in order."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            due, _, item = heapq.heappop(heap)
            self.now = max(self.now, due)
            if isinstance(item, App):
                self._settle_app(item, due)
            elif isinstance(item, Profile | Space):
                self._settle_owner(item, due)
            else:
                item.apply(self)
        self.now = max(self.now, now)

    def next_seq(self) -> int:
        """Return the place in the order of creation for one more record."""
        self._seq += 1
        return self._seq

    def continue_seq(self, seq: int) -> None:
        """Continue numbering after `seq`."""
        self._seq = max(self._seq, seq)

    def schedule(self, at: float, change: Change) -> None:
        """Schedule `change` for a time."""
        heapq.heappush(self._heap, (at, self.next_seq(), change))

    def scheduled_changes(self) -> Iterable[tuple[float, Change]]:
        """Return the changes that are still to come, in their order."""
        return [
            (due, item)
            for due, _, item in sorted(self._heap, key=lambda entry: entry[:2])
            if not isinstance(item, Record)
        ]

    def set_due(self, record: App | Profile | Space, due: float) -> None:
        """Schedule the record's next status change, in place of an earlier one."""
        record.due = due
        if due != NEVER:
            heapq.heappush(self._heap, (due, self.next_seq(), record))

    def draw(self, bounds: Range) -> float:
        """Return a number of seconds between two bounds."""
        low, high = bounds
        return low if low == high else self.rng.uniform(low, high)

    # Limits.

    def take_request(self, lane: Lane, operation: str) -> None:
        """Count one call against the operation's request limit. Raises the service's throttling error."""
        limit = self._limit_of(operation)
        if limit is None:
            return
        bucket = self._token_buckets.get((lane, operation))
        if bucket is None:
            bucket = self._token_buckets[lane, operation] = TokenBucket(limit, limit.burst, self.now)
        if not bucket.take(self.now):
            raise ServiceError(_THROTTLE_CODES.get(operation, "ThrottlingException"), "Rate exceeded")

    def set_price(self, instance_type: str, hourly_usd: float) -> None:
        """Set what the price list says of a type; 0 takes it off the list."""
        self.prices.pop(instance_type, None)
        if hourly_usd > 0:
            self.prices[instance_type] = hourly_usd

    def set_request_limit(self, operation: str, limit: RequestLimit | None) -> None:
        """Change the request limit of an operation (`*`: of all that have none of their own); None lifts it."""
        self.request_limits[operation] = limit
        for key, bucket in tuple(self._token_buckets.items()):
            holds = self._limit_of(key[1])
            if holds is None:
                del self._token_buckets[key]
            elif bucket.limit is not holds:
                bucket.change(holds, self.now)

    def _limit_of(self, operation: str) -> RequestLimit | None:
        """Return the limit that holds: an operation whose own was lifted does not fall back to that of `*`."""
        if operation in self.request_limits:
            return self.request_limits[operation]
        return self.request_limits.get("*")

    def note_create(self, key: AppId | None) -> None:
        """Count a CreateApp that arrived, whatever becomes of it, and start what waits for the first one."""
        old = self.apps.get(key) if key is not None else None
        self.stats.create_arrived(self.now, old.status if old is not None and old.is_alive else "")
        for delay, change in self.after_first_create:
            self.schedule(self.now + delay, change)
        self.after_first_create.clear()

    def failure_of(self, app_type: str, instance_type: str, owner: str, lifecycle: str, region: str) -> str | None:
        """Return the reason with which a new app will end Failed, or None; an empty reason is one too."""
        for rule in self.failures:
            if rule.fits(app_type, instance_type, owner, lifecycle) and (
                rule.probability >= 1.0 or self.rng.random() < rule.probability
            ):
                return rule.text(instance_type, region)
        return None

    def update_failure_of(self, owner: str) -> str:
        """Return the reason with which an update of a profile or space will end Update_Failed, or an empty text."""
        for rule in self.update_failures:
            if rule.fits("", "", owner, "") and (rule.probability >= 1.0 or self.rng.random() < rule.probability):
                return rule.text("", "") or "InternalFailure"
        return ""

    # Records.

    def add_domain(self, domain: Domain) -> None:
        """Add a domain, with nothing in it."""
        self.domains[domain.domain_id] = domain
        self.by_arn[domain.arn.lower()] = domain
        self.rows_by_lane[domain.lane].append(domain)
        self._domains_by_lane[domain.lane].append(domain)

    def add_owner(self, owner: Profile | Space) -> None:
        """Add a user profile or a space to its domain."""
        domain = self.domains[owner.domain_id]
        if isinstance(owner, Profile):
            domain.profiles[owner.key] = owner
        else:
            domain.spaces[owner.key] = owner
            if (profile := domain.profiles.get(owner.owner.lower())) is not None:
                profile.spaces += 1
        self.owners_by_domain[owner.domain_id, type(owner)].append(owner)
        self.rows_by_lane[domain.lane].append(owner)
        self.by_arn[owner.arn.lower()] = owner

    def add_app(self, app: App) -> None:
        """Add a new app; it replaces the dead one of its key, if there is one."""
        old = self.apps.get(app.key)
        if old is not None and not self.keep_replaced_rows:
            self._drop_app(old)
        self.apps[app.key] = app
        self.by_arn[app.arn.lower()] = app
        self._index_app(app)
        if app.is_alive:
            self._count_app(app, +1)

    def set_app_status(self, app: App, status: str) -> None:
        """Move an app to another status, and count what it frees."""
        was_alive = app.is_alive
        app.status = status
        if was_alive and not app.is_alive:
            self._count_app(app, -1)
            app.ended_at = self.now
            self.set_due(app, self.now + self.timing.tombstone)

    def drop_owner(self, owner: Profile | Space) -> None:
        """Forget a user profile or a space."""
        owner.gone = True
        domain = self.domains[owner.domain_id]
        if isinstance(owner, Profile):
            del domain.profiles[owner.key]
        else:
            del domain.spaces[owner.key]
            if (profile := domain.profiles.get(owner.owner.lower())) is not None:
                profile.spaces -= 1
        self.owners_by_domain[owner.domain_id, type(owner)].note_gone()
        self.rows_by_lane[domain.lane].note_gone()
        if self.by_arn.get(owner.arn.lower()) is owner:
            del self.by_arn[owner.arn.lower()]

    def owner_of(self, app: App) -> Profile | Space | None:
        """Return the app's owner, None where it is gone or a pseudo profile."""
        domain = self.domains[app.key.domain_id]
        return domain.spaces.get(app.key.owner) if app.is_of_space else domain.profiles.get(app.key.owner)

    def count_of_owners(self, lane: Lane, *, spaces: bool) -> int:
        """Return how many spaces, or user profiles, a lane has."""
        return sum(len(domain.spaces if spaces else domain.profiles) for domain in self._domains_by_lane[lane])

    def stats_json(self) -> dict[str, Any]:
        """Return the counts, with the apps by status."""
        statuses = Counter(app.status for app in self.apps.values())
        return {**self.stats.to_json(), "now": self.now, "apps": dict(sorted(statuses.items()))}

    def _index_app(self, app: App) -> None:
        domain = self.domains[app.key.domain_id]
        self.apps_by_domain[app.key.domain_id].append(app)
        self.apps_by_owner[app.key[:3]].append(app)
        self.rows_by_lane[domain.lane].append(app)

    def _drop_app(self, app: App) -> None:
        if app.gone:
            return
        app.gone = True
        app.due = NEVER
        domain = self.domains[app.key.domain_id]
        self.apps_by_domain[app.key.domain_id].note_gone()
        owner_index = self.apps_by_owner[app.key[:3]]
        owner_index.note_gone()
        if not len(owner_index):
            del self.apps_by_owner[app.key[:3]]
        self.rows_by_lane[domain.lane].note_gone()
        if self.apps.get(app.key) is app:
            del self.apps[app.key]
        if self.by_arn.get(app.arn.lower()) is app:
            del self.by_arn[app.arn.lower()]

    def _count_app(self, app: App, step: int) -> None:
        bucket = app.bucket
        if bucket.training_plan:
            self.plan_usage[bucket.training_plan] += step
        else:
            self.bucket_usage[bucket] += step
        self.running[bucket.account, bucket.region] += step
        if bucket.app_type == KERNEL_GATEWAY and not app.is_of_space:
            self.kernels_of_user[app.key.domain_id, app.key.owner, bucket.instance_type] += step
        if (owner := self.owner_of(app)) is not None:
            owner.live_apps += step

    def _settle_app(self, app: App, due: float) -> None:
        if app.due != due:
            return
        app.due = NEVER
        if app.status == PENDING:
            if app.will_fail:
                app.failure_reason = app.will_fail.strip()
                self.set_app_status(app, FAILED)
            else:
                self.set_app_status(app, IN_SERVICE)
        elif app.status == DELETING:
            self.set_app_status(app, DELETED)
        elif not app.is_alive:
            self._drop_app(app)

    def _settle_owner(self, owner: Profile | Space, due: float) -> None:
        if owner.due != due:
            return
        owner.due = NEVER
        if owner.status == DELETING:
            self.drop_owner(owner)
        elif owner.status == UPDATING and owner.will_fail:
            owner.status, owner.failure_reason, owner.will_fail = UPDATE_FAILED, owner.will_fail, ""
        elif owner.status in (PENDING, UPDATING):
            owner.status = IN_SERVICE
            owner.modified_at = self.now
            if isinstance(owner, Space):
                owner.storage_ready_at = self.now + self.draw(self.timing.space_storage)
