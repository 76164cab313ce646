"""`ports.identity_center.IdentityCenterCloud` over aioboto3: a domain's application, its users, their assignment.

Answers are checked field by field: an ARN or an id of them goes into a command that a person copies.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from engine.adapters.aws.calls import AwsCalls, optional_text, required_text, rows_of
from engine.adapters.aws.transport import UnreadableAnswerError
from engine.core.errors import Rejected
from engine.core.limits import LIST_PAGE_MAX_ROWS
from engine.ports.identity_center import InstancePage, assignment_request, user_request

ASSIGNED_ALREADY: Final = "ConflictException"


class IdentityCenterCalls(AwsCalls):
    """The calls about who may sign in, of one set of credentials in one region.

    `beside` opens the client of a service besides SageMaker, for an operation. Most runs never need one. It raises
    CloudError.
    """

    def __init__(self, *, beside: Callable[[str, str], Awaitable[Any]], **more: Any) -> None:
        super().__init__(**more)
        self._open_beside = beside
        self._center: Any = None
        self._store: Any = None

    async def application_arn(self, domain_id: str) -> str:
        """DescribeDomain: the domain's application in IAM Identity Center; empty where the service names none."""
        send = partial(self._sagemaker.describe_domain, DomainId=domain_id)
        return await self._ask("DescribeDomain", send, optional_text, "SingleSignOnApplicationArn") or ""

    async def instances(self, *, token: str = "") -> InstancePage:
        """ListInstances: the instances of IAM Identity Center that the caller can see."""
        await self._open("ListInstances")
        params: dict[str, Any] = {"MaxResults": LIST_PAGE_MAX_ROWS, **({"NextToken": token} if token else {})}
        return await self._ask("ListInstances", partial(self._center.list_instances, **params), _instances)

    async def user_id(self, store: str, name: str) -> str:
        """GetUserId: the id of a user by name. Raises NotFound when the identity store has no such user."""
        await self._open("GetUserId")
        send = partial(self._store.get_user_id, **user_request(store, name))
        return await self._ask("GetUserId", send, required_text, "UserId")

    async def assign_user(self, application_arn: str, user_id: str) -> None:
        """CreateApplicationAssignment; a user that is assigned already stays so."""
        operation = "CreateApplicationAssignment"
        await self._open(operation)
        params = assignment_request(application_arn, user_id)
        try:
            await self._call(operation, partial(self._center.create_application_assignment, **params))
        except Rejected as error:
            if error.service_code != ASSIGNED_ALREADY:
                raise

    async def _open(self, operation: str) -> None:
        """Open both clients by the first call, which planning makes: to make one blocks the loop for a while."""
        if self._store is None:
            self._center = await self._open_beside("sso-admin", operation)
            self._store = await self._open_beside("identitystore", operation)


def _instances(answer: Any) -> InstancePage:
    rows = rows_of(answer, "Instances")
    if not all(isinstance(row, dict) for row in rows):
        raise UnreadableAnswerError("the answer has no list Instances")
    stores = {
        required_text(row, "InstanceArn").rpartition("/")[2]: required_text(row, "IdentityStoreId") for row in rows
    }
    return InstancePage(stores, optional_text(answer, "NextToken") or "")
