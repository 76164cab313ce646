"""The application of a domain in IAM Identity Center: who is assigned to it, and the command that assigns them by hand.

Not here: which profiles of a plan are assigned (`sso`), and the calls (`executor.assigning`).
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from engine.core.errors import CloudError
from engine.core.finding import Finding
from engine.core.limits import SHOWN_TEXT_MAX_CHARS
from engine.core.text import clean, count_of

RULE: Final = "assign"
_WHY_MIN_CHARS: Final = 60
_WHY_MAX_CHARS: Final = 200  # of a finding: the rest of it is for the command, which must be whole


class Why(NamedTuple):
    """Why users are not assigned: short enough to be said beside a command, and what is known of the cause."""

    short: str
    cause: str = ""


def why_of(error: CloudError) -> Why:
    """Return what an error means for users that are to be assigned."""
    cause = f"{error.message.rstrip('.')}. {error.hint}".rstrip(". ")
    if error.operation and error.service_code:
        return Why(f"{error.operation} failed with {error.service_code}", cause)
    return Why(error.message, cause)


@dataclass(frozen=True, slots=True)
class Application:
    """The application of a domain, and the identity store that knows its users; `region` is that of both.

    Where one of the two is missing, `unread` says why, and nobody is assigned.
    """

    region: str
    arn: str = ""
    store: str = ""
    unread: Why | None = None

    @property
    def instance(self) -> str:
        """Name the instance of IAM Identity Center that the application belongs to, as its ARN names it."""
        return self.arn.split("/")[1] if self.arn.count("/") > 1 else ""


def assign_command(application: Application, users: Sequence[str]) -> str:
    """Return the one command, for a shell with the AWS CLI, that assigns these users to the application."""
    if len(users) == 1:
        return _command(application, shlex.quote(_identifier(_in_json(users[0]))))
    names = " ".join(shlex.quote(_in_json(user)) for user in users)
    identifier = "'" + _identifier("'\"$user\"'") + "'"
    return f"for user in {names}; do {_command(application, identifier)}; done"


def _command(application: Application, identifier: str) -> str:
    region = application.region
    user = (
        f"aws identitystore get-user-id --region {region} --identity-store-id {_store(application)} "
        f"--alternate-identifier {identifier} --query UserId --output text"
    )
    return (
        f"aws sso-admin create-application-assignment --region {region} --application-arn {application.arn} "
        f'--principal-type USER --principal-id "$({user})"'
    )


def _store(application: Application) -> str:
    """Return the id of the identity store, or what finds it out where appfleet could not."""
    if application.store:
        return application.store
    instance = f"Instances[?ends_with(InstanceArn, '/{application.instance}')].IdentityStoreId"
    return f'"$(aws sso-admin list-instances --region {application.region} --query "{instance}" --output text)"'


def _identifier(user: str) -> str:
    return '{"UniqueAttribute":{"AttributePath":"userName","AttributeValue":"' + user + '"}}'


def _in_json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def unassigned(domain: str, application: Application, why: Why, users: Iterable[str]) -> Iterator[Finding]:
    """Yield what says of new profiles that their users are not assigned, with the command that assigns them.

    A finding speaks of as many users as its command has room for; what it says is cut before the command is.
    """
    if why.cause:
        cause = f"users of domain {domain} could not be assigned in IAM Identity Center: {why.cause}"
        yield Finding(RULE, "advisory", "", clean(cause))
    names = sorted(set(users))
    first = 0
    while first < len(names):
        last = first + 1
        room = SHOWN_TEXT_MAX_CHARS - len(_message(domain, application, "", names, first, last))
        said = clean(why.short, min(max(room, _WHY_MIN_CHARS), _WHY_MAX_CHARS)).rstrip(".")
        message = _message(domain, application, said, names, first, last)
        while last < len(names):
            longer = _message(domain, application, said, names, first, last + 1)
            if len(longer) > SHOWN_TEXT_MAX_CHARS:
                break
            last, message = last + 1, longer
        yield Finding(RULE, "advisory", "", clean(message, len(message)))
        first = last


def _message(domain: str, application: Application, why: str, names: Sequence[str], first: int, last: int) -> str:
    shown = names[first:last]
    which = "" if len(shown) == len(names) else f" ({first + 1} to {last} of {len(names)})"
    verb = "is" if len(shown) == 1 else "are"
    said = (
        f"{count_of(len(shown), 'user')}{which} of new profiles in domain {domain} {verb} not assigned to its "
        f"application in IAM Identity Center, and cannot sign in: {why}"
    )
    if not application.arn:
        return f"{said}. Assign them in the SageMaker console: {', '.join(shown)}"
    return f"{said}. An administrator can assign them with: {assign_command(application, shown)}"
