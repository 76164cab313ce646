"""The simulated SageMaker without a wire: `ports.cloud.Cloud` straight over the world, with hooks for trouble.

Made for simulations that run many thousands of nights: no JSON, no HTTP and, unless requests are to be checked, no
service model. Errors become the same classes as in the adapter, by the same table.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from engine.core.activity import Activity
from engine.core.errors import CloudError, OutcomeUnknown, TlsFailed, Unreachable
from engine.core.identity import SPACE, USER, Lane
from engine.core.limits import LIST_PAGE_MAX_ROWS
from engine.core.reserved import TrainingPlan
from engine.core.service_errors import error_from_service
from engine.core.training_plans import plan_arn
from engine.ports.cloud import AppDetail, AppName, AppPage, AppRow, Caller, TaggedPage, tagged_request
from engine.simulator.faces.memory_ingredients import MemoryIngredients
from engine.simulator.faces.memory_owners import MemoryOwners
from engine.simulator.faces.memory_sign_in import MemorySignIn
from engine.simulator.service import app_operations as apps
from engine.simulator.service import plan_operations as plans
from engine.simulator.service import tag_operations as tagging
from engine.simulator.service.identity_operations import caller_arn
from engine.simulator.service.model import check_request
from engine.simulator.service.shapes import resource_spec
from engine.simulator.world.faults import ACTS_BEFORE, ROW_FAULTS, Fault, FaultKind
from engine.simulator.world.records import app_id
from engine.simulator.world.service_error import ServiceError
from engine.simulator.world.stats import OK

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from engine.core.desired import AppSpec, Tags
    from engine.core.identity import OwnerKind
    from engine.simulator.world.records import App, AppId
    from engine.simulator.world.world import World

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SimulatedCall:
    """One call on its way. `phase` is `request` before the world sees it and `answer` behind that.

    `app` names the app that it is about, None for listings and identity; `domain_id` is empty for the identity. `owner`
    is the name of the profile or space that a call about one is about.
    """

    operation: str
    phase: Literal["request", "answer"] = "request"
    domain_id: str = ""
    app: AppName | None = None
    owner: str = ""


class MemoryCloud(MemoryOwners, MemorySignIn, MemoryIngredients):
    """A `Cloud` of one account and region of a world.

    `clock` gives epoch seconds. `latency` is awaited twice a call, before and after the world has acted, so that a
    cancelled call may have acted. `fault` may give a call a fault; without it the world's own fault rules hold.
    With `check_requests` each request is checked against botocore's model, as over HTTP.
    """

    def __init__(
        self,
        world: World,
        clock: Callable[[], float],
        *,
        account: str | None = None,
        region: str = "us-east-1",
        endpoint: str = "",
        latency: Callable[[SimulatedCall], Awaitable[None]] | None = None,
        fault: Callable[[SimulatedCall], Fault | None] | None = None,
        check_requests: bool = False,
    ) -> None:
        self.world = world
        self.lane = Lane(account or world.account, region)
        self._clock = clock
        self._endpoint = endpoint
        self._latency = latency
        self._fault = fault
        self._check_requests = check_requests

    @property
    def endpoint(self) -> str:
        """The endpoint that was given; empty unless one was."""
        return self._endpoint

    async def caller(self) -> Caller:
        """GetCallerIdentity."""
        return await self._call(
            SimulatedCall("GetCallerIdentity"), lambda: Caller(self.lane.account, caller_arn(self.lane))
        )

    async def list_apps(
        self, domain_id: str, *, owner_kind: OwnerKind | None = None, owner: str = "", token: str = ""
    ) -> AppPage:
        """ListApps, oldest first."""
        call = SimulatedCall("ListApps", domain_id=domain_id)

        def act() -> AppPage:
            self._check("ListApps", _list_params(domain_id, owner_kind, owner, token))
            found, next_token = apps.list_apps(
                self.world,
                self.lane,
                domain_id=domain_id,
                owner_kind=owner_kind,
                owner=owner,
                size=LIST_PAGE_MAX_ROWS,
                token=token,
            )
            return AppPage(tuple(_row(app) for app in found), next_token or "")

        return await self._call(call, act, _with_wrong_rows)

    async def create_app(self, app: AppName, spec: AppSpec, tags: Tags) -> str:
        """CreateApp."""
        call = SimulatedCall("CreateApp", domain_id=app.domain_id, app=app)

        def act() -> str:
            if self._check_requests:  # a night that checks none writes none
                self._check("CreateApp", _create_params(app, spec, tags))
            domain = apps.find_domain(self.world, self.lane, app.domain_id)
            checked = tagging.checked_tags(_pairs(tags))
            return apps.create_app(self.world, domain, _key(app), app.owner, spec, checked).arn

        return await self._call(call, act)

    async def delete_app(self, app: AppName) -> None:
        """DeleteApp."""

        def act() -> None:
            self._answer("DeleteApp", _app_params(app))

        await self._call(SimulatedCall("DeleteApp", domain_id=app.domain_id, app=app), act)

    async def describe_app(self, app: AppName) -> AppDetail:
        """DescribeApp."""

        def act() -> AppDetail:
            self._check("DescribeApp", _app_params(app))
            apps.find_domain(self.world, self.lane, app.domain_id)
            found = apps.describe_app(self.world, _key(app))
            activity = Activity(*apps.activity_of(self.world, found))
            return AppDetail(_row(found), found.arn, found.failure_reason, activity)

        return await self._call(SimulatedCall("DescribeApp", domain_id=app.domain_id, app=app), act)

    async def training_plan(self, arn: str) -> TrainingPlan:
        """DescribeTrainingPlan."""
        named = plan_arn(arn)

        def act() -> TrainingPlan:
            params = {"TrainingPlanName": "" if named is None else named.name}
            self._check("DescribeTrainingPlan", params)
            return _plan(plans.describe_training_plan(self.world, self.lane, params))

        return await self._call(SimulatedCall("DescribeTrainingPlan"), act)

    async def list_tags(self, arn: str) -> Tags:
        """ListTags."""

        def act() -> Tags:
            return tuple(sorted(tagging.tags_of(self.world, self.lane, arn).items()))

        return await self._call(SimulatedCall("ListTags"), act)

    async def add_tags(self, arn: str, tags: Tags) -> None:
        """AddTags."""

        def act() -> None:
            self._answer("AddTags", {"ResourceArn": arn, "Tags": _pairs(tags)})

        await self._call(SimulatedCall("AddTags"), act)

    async def tagged_resources(self, key: str, kinds: tuple[str, ...], *, token: str = "") -> TaggedPage:
        """GetResources."""
        params = tagged_request(key, kinds, token)

        def act() -> TaggedPage:
            answer = tagging.get_resources(self.world, self.lane, params)
            values = (
                (row["ResourceARN"], next(tag["Value"] for tag in row["Tags"] if tag["Key"] == key))
                for row in answer["ResourceTagMappingList"]
            )
            return TaggedPage(tuple(values), answer["PaginationToken"])

        return await self._call(SimulatedCall("GetResources"), act)

    async def _owner_call(self, operation: str, domain_id: str, owner: str, act: Callable[[], T]) -> T:
        return await self._call(SimulatedCall(operation, domain_id=domain_id, owner=owner), act)

    async def _call(
        self, call: SimulatedCall, act: Callable[[], T], spoil: Callable[[T, FaultKind], T] | None = None
    ) -> T:
        world = self.world
        world.stats.began()
        try:
            if self._latency is not None:
                await self._latency(call)
            now = self._clock()
            fault = self._draw_fault(call, now)
            world.advance(now)
            if call.operation == "CreateApp" and call.app is not None:
                world.note_create(_key(call.app))
            if fault is not None and fault.kind in ACTS_BEFORE:
                raise self._failed(call, fault)
            result, refused = self._act(call, act)
            if self._latency is not None:
                await self._latency(replace(call, phase="answer"))
            if fault is not None:
                if spoil is None or fault.kind not in ROW_FAULTS:
                    raise self._failed(call, fault)
                if result is not None:
                    result = spoil(result, fault.kind)
            if refused is not None:
                raise refused
            return result  # type: ignore[return-value]  # None only where T is None
        finally:
            world.stats.ended()

    def _draw_fault(self, call: SimulatedCall, now: float) -> Fault | None:
        if self._fault is not None:
            return self._fault(call)
        return self.world.faults.draw(call.operation, now, self.world.rng)

    def _act(self, call: SimulatedCall, act: Callable[[], T]) -> tuple[T | None, CloudError | None]:
        try:
            self.world.take_request(self.lane, call.operation)
            result = act()
        except ServiceError as error:
            self.world.stats.answered(call.operation, error.code)
            return None, error_from_service(
                operation=call.operation, service_code=error.code, message=error.message, status=error.status
            )
        self.world.stats.answered(call.operation, OK)
        return result, None

    def _failed(self, call: SimulatedCall, fault: Fault) -> CloudError:
        code, message, status = fault.error_answer(call.operation)
        self.world.stats.answered(call.operation, code or f"fault:{fault.kind.value}")
        if code:
            return error_from_service(operation=call.operation, service_code=code, message=message, status=status)
        kind = fault.kind.value
        if fault.kind is FaultKind.REFUSED:
            return Unreachable(
                f"Cannot connect for {call.operation} ({kind})", service_code=kind, operation=call.operation
            )
        if fault.kind is FaultKind.UNTRUSTED:
            return TlsFailed(
                f"Cannot trust the server for {call.operation} ({kind})", service_code=kind, operation=call.operation
            )
        return OutcomeUnknown(
            f"{call.operation} got no usable answer: {kind}",
            unreadable=fault.kind in (FaultKind.GARBAGE_AFTER, FaultKind.EMPTY_AFTER),
            service_code=kind,
            operation=call.operation,
        )

    def _check(self, operation: str, params: Mapping[str, object]) -> None:
        if self._check_requests:
            check_request("sagemaker", operation, params)


def _key(app: AppName) -> AppId:
    return app_id(app.domain_id, app.owner_kind, app.owner, app.app_type, app.app_name)


def _row(app: App) -> AppRow:
    key = app.key
    return AppRow(key.owner_kind, app.owner, key.app_type, key.app_name, app.status, app.created_at, app.spec)


def _plan(shown: dict[str, Any]) -> TrainingPlan:
    return TrainingPlan(
        shown["TrainingPlanArn"],
        shown["Status"],
        shown["TotalInstanceCount"],
        shown["AvailableInstanceCount"],
        shown["StartTime"],
        shown.get("EndTime"),
        tuple(shown["TargetResources"]),
        tuple(one["InstanceType"] for one in shown["ReservedCapacitySummaries"]),
    )


def _list_params(domain_id: str, kind: OwnerKind | None, owner: str, token: str) -> dict[str, object]:
    params: dict[str, object] = {"DomainIdEquals": domain_id, "MaxResults": LIST_PAGE_MAX_ROWS}
    if kind is not None:
        params["SpaceNameEquals" if kind == SPACE else "UserProfileNameEquals"] = owner
    return params | ({"NextToken": token} if token else {})


def _app_params(app: AppName) -> dict[str, Any]:
    return {
        "DomainId": app.domain_id,
        "UserProfileName" if app.owner_kind == USER else "SpaceName": app.owner,
        "AppType": app.app_type,
        "AppName": app.app_name,
    }


def _create_params(app: AppName, spec: AppSpec, tags: Tags) -> dict[str, Any]:
    params = _app_params(app)
    if tags:
        params["Tags"] = _pairs(tags)
    if resource := resource_spec(spec):
        params["ResourceSpec"] = resource
    if spec.recovery_mode is not None:
        params["RecoveryMode"] = spec.recovery_mode
    return params


def _pairs(tags: Tags) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags]


def _with_wrong_rows(page: AppPage, kind: FaultKind) -> AppPage:
    if not page.rows:
        return page
    rows = (*page.rows, page.rows[-1]) if kind is FaultKind.DUPLICATE_ROWS else page.rows[:-1]
    return AppPage(rows, page.next_token)
