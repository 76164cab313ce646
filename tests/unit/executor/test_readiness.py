"""Why a call was refused as too early: what is not in service, the owner or the domain."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from engine.core.errors import AccessDenied, CloudError, NotFound, Rejected, StorageNotReady
from engine.core.identity import SPACE, Owner
from engine.executor.readiness import told_state

if TYPE_CHECKING:
    from engine.executor.reach import Reach

TOO_EARLY = StorageNotReady("UserProfile [alice] is not in InService", operation="CreateSpace")
LAB = Owner("research", SPACE, "alice-lab")


class OneDomain:
    """Answers for a domain in which the owner does not exist yet."""

    domain_id = "d-1"
    link = SimpleNamespace(domain=SimpleNamespace(name="research"))

    def __init__(self, status: str) -> None:
        self.status = status
        self.asked: list[str] = []

    async def look(self, operation: str, _: Any) -> str:
        """Note the question; nobody has made the owner."""
        self.asked.append(operation)
        if operation == "DescribeSpace":
            raise NotFound("no such space")
        return self.status


def told(status: str) -> tuple[str, list[str]]:
    reach = OneDomain(status)
    error = asyncio.run(told_state(cast("Reach", reach), LAB, TOO_EARLY))
    return error.message, reach.asked


def test_an_owner_that_is_about_to_be_made_is_not_the_reason_so_the_domain_is_asked() -> None:
    assert told("InService") == (TOO_EARLY.message, ["DescribeSpace", "DescribeDomain"])
    assert told("Updating")[0] == "domain research (d-1) is Updating"
    assert told("Update_Failed")[0] == "domain research (d-1) is Update_Failed, so nothing can be created in it"


class AlreadyThere(OneDomain):
    """Answers for an owner that exists and is in some state."""

    async def look(self, operation: str, _: Any) -> Any:
        """Describe the owner."""
        self.asked.append(operation)
        return SimpleNamespace(row=SimpleNamespace(status=self.status))


def test_an_owner_that_exists_is_the_reason_when_it_is_not_in_service() -> None:
    def told_of(status: str) -> CloudError:
        return asyncio.run(told_state(cast("Reach", AlreadyThere(status)), LAB, TOO_EARLY))

    assert isinstance(told_of("Pending"), StorageNotReady)
    assert told_of("Pending").message == "space alice-lab is Pending"
    assert isinstance(told_of("Update_Failed"), Rejected)


def test_a_state_that_cannot_be_read_leaves_the_error_as_it_is() -> None:
    class Silent(OneDomain):
        async def look(self, operation: str, _: Any) -> str:
            raise AccessDenied(f"{operation} is not allowed")

    assert asyncio.run(told_state(cast("Reach", Silent("")), LAB, TOO_EARLY)) is TOO_EARLY
    other = StorageNotReady("storage is not in Available status")
    assert asyncio.run(told_state(cast("Reach", Silent("")), LAB, other)) is other
