"""What the AuthMode of a domain asks of the user profiles that a plan makes in it.

A domain that signs people in through IAM Identity Center refuses a profile without a user name there, and any other
domain refuses a profile with one. Not here: where the names come from (`config.identities`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from engine.core.application import Application, unassigned
from engine.core.change import Action, OwnerChange, OwnerReason
from engine.core.facts import Unknown
from engine.core.finding import Finding
from engine.core.identity import Owner
from engine.core.limits import ORPHANS_NAMED_MAX_COUNT
from engine.core.observed import Ownership
from engine.core.owners import SSO_MODE, new_profiles, with_sso_warning
from engine.core.plan import Plan
from engine.core.text import clean, count_of, listed

_RULE: Final = "sso"
_KEY: Final = "sso_identity"


class SignIn(NamedTuple):
    """How people sign in to a domain (empty: not known), and the application that they are assigned to, if any."""

    auth_mode: str | Unknown
    application: Application | None = None


def with_sign_in(plan: Plan, domains: Mapping[str, SignIn], owed: Collection[Owner] = ()) -> Plan:
    """Return the plan with what `with_auth_mode` says of each of `domains`, which are looked at one by one."""
    parts: defaultdict[str, list[OwnerChange]] = defaultdict(list)
    for change in plan.owners:
        parts[change.owner.domain].append(change)
    kept: dict[Owner, OwnerChange] = {}
    findings = set(plan.findings)
    denied = plan.denied
    for domain, sign_in in domains.items():
        part = replace(plan, decisions=(), owners=tuple(parts[domain]), findings=(), denied=False)
        made = with_auth_mode(part, domain, *sign_in, owed)
        kept |= {change.owner: change for change in made.owners}
        findings.update(made.findings)
        denied = denied or made.denied
    owners = (one if one.owner.domain not in domains else kept.get(one.owner) for one in plan.owners)
    return replace(
        plan,
        owners=tuple(change for change in owners if change is not None),
        findings=tuple(sorted(findings)),
        denied=denied,
    )


def with_auth_mode(
    plan: Plan,
    domain: str,
    auth_mode: str | Unknown,
    application: Application | None = None,
    owed: Collection[Owner] = (),
) -> Plan:
    """Return the plan with what this AuthMode (empty: not known) means for the profiles that it makes in the domain.

    A name that was only guessed from an address is sent where it is asked for and nowhere else. What the service would
    refuse denies the plan, before anything is called. With an `application` the users of the new profiles are assigned
    to it, and those of `owed`, which an earlier run made.
    """
    if isinstance(auth_mode, Unknown):
        plan, auth_mode = _with_unread_mode(plan, domain, auth_mode), ""
    if auth_mode != SSO_MODE:
        plan = replace(plan, owners=tuple(_without_guess(change, domain) for change in plan.owners))
    else:
        plan = _with_shared_named(plan, domain)
    new = [change for change in new_profiles(plan.owners) if change.owner.domain == domain]
    named = [change for change in new if _identity(change) is not None]
    nameless = [change for change in new if _identity(change) is None]
    left = [change for change in plan.owners if change.owner.domain == domain and _is_left(change, owed)]
    if application is None:
        plan = with_sso_warning(plan, domain, auth_mode)
    elif application.unread is None:
        users = {change.owner for change in (*named, *left)}
        assigned = (replace(one, assigned_to=application) if one.owner in users else one for one in plan.owners)
        plan = replace(plan, owners=tuple(assigned))
    elif names := [_identity(change) or "" for change in (*named, *left)]:
        findings = unassigned(domain, application, application.unread, names)
        plan = replace(plan, findings=tuple(sorted({*plan.findings, *findings})))
    plan = _without_idle(plan, domain)
    if auth_mode == SSO_MODE and nameless:
        finding = _missing_finding(domain, nameless)
    elif auth_mode and auth_mode != SSO_MODE and named:
        finding = _needless_finding(domain, auth_mode, named)
    else:
        return plan
    return replace(plan, findings=tuple(sorted({*plan.findings, finding})), denied=True)


def _is_left(change: OwnerChange, owed: Collection[Owner]) -> bool:
    """Whether a profile stands there whose user an earlier run was to assign."""
    stands = change.action in (Action.NONE, Action.UPDATE) and change.before is not None
    ours = change.before is not None and change.before.ownership is Ownership.OURS
    return stands and ours and change.owner in owed and _identity(change) is not None


def _without_idle(plan: Plan, domain: str) -> Plan:
    """Leave out whom nobody assigns after all: nothing else is done about that profile."""
    kept = (
        change
        for change in plan.owners
        if change.owner.domain != domain
        or change.reason is not OwnerReason.UNASSIGNED
        or change.assigned_to is not None
    )
    return replace(plan, owners=tuple(kept))


def _with_unread_mode(plan: Plan, domain: str, unread: Unknown) -> Plan:
    """Add what a reader must know about new profiles in a domain of which nobody knows how people sign in to it."""
    profiles = sum(1 for change in new_profiles(plan.owners) if change.owner.domain == domain)
    if not profiles:
        return plan
    made = count_of(profiles, "user profile")
    message = (
        f"how people sign in to domain {domain} could not be read ({unread.why}), and {made} will be made there: if it "
        "is IAM Identity Center, appfleet assigns none of their users, so they cannot sign in until an administrator "
        "does. Allow the caller sagemaker:DescribeDomain"
    )
    return replace(plan, findings=tuple(sorted({*plan.findings, Finding(_RULE, "advisory", "", clean(message))})))


def _identity(change: OwnerChange) -> str | None:
    return None if change.after is None else change.after.sso_identity


def _without_guess(change: OwnerChange, domain: str) -> OwnerChange:
    after = change.after
    if after is None or not after.sso_is_guessed or change.owner.domain != domain:
        return change
    return replace(change, after=replace(after, sso_identity=None, sso_is_guessed=False))


def _missing_finding(domain: str, nameless: Sequence[OwnerChange]) -> Finding:
    message = (
        f"domain {domain} signs people in through IAM Identity Center (AuthMode SSO), which needs their user names "
        f"there, and {_profiles(len(nameless))} to be made without {_KEY}: {_names(nameless)}. Set {_KEY} in each "
        f'profile\'s table, or {_KEY} = "{{member}}@example.com" for the team or the domain, or give a members file a '
        f"column {_KEY}"
    )
    return Finding(_RULE, "mandatory", "", clean(message), _source(nameless))


def _with_shared_named(plan: Plan, domain: str) -> Plan:
    """Add a finding for each user name that several new profiles have: that person signs in to one of them."""
    profiles: defaultdict[str, list[OwnerChange]] = defaultdict(list)
    for change in new_profiles(plan.owners):
        if change.owner.domain == domain and (identity := _identity(change)) is not None:
            profiles[identity.casefold()].append(change)
    found = [_shared_finding(domain, shared) for shared in profiles.values() if len(shared) > 1]
    return replace(plan, findings=tuple(sorted({*plan.findings, *found}))) if found else plan


def _shared_finding(domain: str, shared: Sequence[OwnerChange]) -> Finding:
    message = (
        f"{_profiles(len(shared))} to be made in domain {domain} with one {_KEY}, {_identity(shared[0])}: "
        f"{_names(shared)}. A user of IAM Identity Center is one person, who signs in to one profile of a domain: "
        f"correct {_KEY}, or leave the others out"
    )
    return Finding(_RULE, "advisory", "", clean(message), _source(shared))


def _needless_finding(domain: str, auth_mode: str, named: Sequence[OwnerChange]) -> Finding:
    message = (
        f"domain {domain} has AuthMode {auth_mode}, which takes no {_KEY}, and {_profiles(len(named))} to be made with "
        f"one: {_names(named)}. Remove {_KEY} from the profile, its team or the domain"
    )
    return Finding(_RULE, "mandatory", "", clean(message), _source(named))


def _profiles(count: int) -> str:
    return count_of(count, "user profile is", "user profiles are")


def _names(changes: Sequence[OwnerChange]) -> str:
    return listed([change.owner.name for change in changes], ORPHANS_NAMED_MAX_COUNT)


def _source(changes: Sequence[OwnerChange]) -> str:
    return "" if changes[0].after is None else str(changes[0].after.source)
