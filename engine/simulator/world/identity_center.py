"""IAM Identity Center in the world: which users its identity store has, and which of them are assigned to what."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from engine.simulator.world.arns import partition

if TYPE_CHECKING:
    from engine.core.identity import Lane
    from engine.simulator.world.records import Domain


@dataclass(slots=True)
class IdentityCenter:
    """What is known of people. `users` None: the identity store has everybody who is asked for.

    `profiles_need_users`: CreateUserProfile refuses a user name that the identity store does not have. `known` maps the
    ids that GetUserId gave out to user names, `assigned` the ARN of an application to the ids that are assigned to it.
    """

    users: list[str] | None = None
    profiles_need_users: bool = True
    known: dict[str, str] = field(default_factory=dict)
    assigned: dict[str, list[str]] = field(default_factory=dict)

    def has(self, user: str) -> bool:
        """Whether the identity store has a user of this name, spelled so."""
        return self.users is None or user in self.users

    def users_of(self, domain: Domain) -> list[str]:
        """Return the names of the users that are assigned to a domain's application, in order."""
        return [self.known[user_id] for user_id in self.assigned.get(application_arn(domain), ())]


def _digest(text: str, chars: int) -> str:
    return sha256(text.encode()).hexdigest()[:chars]


def _instance(lane: Lane) -> str:
    return f"ssoins-{_digest(f'instance {lane}', 16)}"


def instance_arn(lane: Lane) -> str:
    """Return the ARN of the one instance that an account sees in a region."""
    return f"arn:{partition(lane.region)}:sso:::instance/{_instance(lane)}"


def application_arn(domain: Domain) -> str:
    """Return the ARN of a domain's application."""
    application = f"{_instance(domain.lane)}/apl-{_digest(domain.domain_id, 16)}"
    return f"arn:{partition(domain.region)}:sso::{domain.account}:application/{application}"


def store_id(lane: Lane) -> str:
    """Return the id of the identity store of an account's instance in a region."""
    return f"d-{_digest(f'store {lane}', 10)}"


def user_id(lane: Lane, user: str) -> str:
    """Return the id of a user."""
    digest = _digest(f"user {user}", 32)
    parts = (digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:])
    return f"{store_id(lane).removeprefix('d-')}-{'-'.join(parts)}"
