"""Apps, spaces and user profiles of a Terraform state, as if they had been listed in their domains.

Pure. What a state says is taken for what is there; what it holds and a fleet file cannot say is left out and named.
Not here: reading the state (`terraform_state`), or what the file says of the rows (`imported`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from engine.config.fleet.found_domains import FoundDomain, free_name
from engine.config.fleet.imported_rows import Found, unsayable
from engine.config.fleet.terraform_state import Resource, State
from engine.config.service.fields import ACCOUNT, REGION
from engine.config.service.service_model import is_domain_id
from engine.config.service.terraform_settings import is_set, structure_of
from engine.core.desired import AppSpec
from engine.core.errors import UsageError
from engine.core.identity import SPACE, USER, AppKey, Owner
from engine.core.limits import NAME_SHOWN_MAX_CHARS
from engine.core.observed import AppStatus, ObservedApp, ObservedOwner
from engine.core.owner_settings import RESOURCE_FIELDS
from engine.core.text import clean

APP: Final = "aws_sagemaker_app"
SPACES: Final = "aws_sagemaker_space"
PROFILE: Final = "aws_sagemaker_user_profile"
DOMAIN: Final = "aws_sagemaker_domain"
KINDS: Final = frozenset({APP, SPACES, PROFILE, DOMAIN})

_ARN_PARTS_COUNT: Final = 6
_IN_SERVICE: Final = AppStatus.IN_SERVICE.value
_NO_DOMAIN: Final = "its domain_id is missing, hidden or not one of a domain"
_OTHER_PLACE: Final = "its ARN is of another account or region than its domain"
_NO_NAME: Final = "its name or its owner is missing or hidden"
_TWICE: Final = "another resource of the state describes the same thing"
_OWNER_TAGS: Final = "its tags are not in the file: a fleet file has tags of apps"
# What the provider fills in, and what says where a resource is.
_KNOWN: Final = {"arn", "id", "region", "domain_id", "tags", "tags_all", "url", "home_efs_file_system_uid"}
_OF_APPS: Final = _KNOWN | {"app_name", "app_type", "user_profile_name", "space_name", "resource_spec"}
_OF_PROFILES: Final = (
    _KNOWN | {"user_profile_name", "user_settings", "single_sign_on_user_identifier"} | {"single_sign_on_user_value"}
)
_OF_SPACES: Final = _KNOWN | {"space_name", "space_settings", "ownership_settings", "space_sharing_settings"}


class FromTerraform(NamedTuple):
    """The rows by domain, and what was left out of the state: why -> addresses, and the count of each other type."""

    founds: tuple[Found, ...]
    left_out: Mapping[str, tuple[str, ...]]
    others: Mapping[str, int]


@dataclass(slots=True)
class _Place:
    """A domain as the state shows it; a text is empty where nothing says it."""

    domain_id: str
    region: str = ""
    account: str = ""
    name: str = ""
    resources: list[Resource] = field(default_factory=list)


def rows_of(
    state: State, *, name: str, region: str, domain_id: str, domain: str | None, settings: bool
) -> FromTerraform:
    """Return what a state has of each domain, or of `domain_id` alone.

    `name` is how messages name the state, `region` what is taken where it names none, and `domain` the fleet's name for
    its one domain. Raises UsageError where a region is unknown, for several domains under one name, and for no domain.
    """
    left_out = _LeftOut(state)
    places = _places(state.resources, left_out)
    if domain_id:
        places = {one: place for one, place in places.items() if one == domain_id}
    if not places:
        what = f"nothing of domain {clean(domain_id, NAME_SHOWN_MAX_CHARS)}" if domain_id else "no SageMaker domain"
        raise UsageError(
            f"{name} has {what}: no {APP}, {SPACES}, {PROFILE} or {DOMAIN}",
            hint="Check which state or workspace that is" + (", and --domain-id" if domain_id else ""),
        )
    if domain is not None and len(places) > 1:
        raise UsageError(
            f"--domain-name names one domain, and {name} has {len(places)}", hint="Leave it out, or add --domain-id ID"
        )
    founds = []
    taken: set[str] = set()
    for place in sorted(places.values(), key=lambda one: one.domain_id):
        place.region = place.region or region
        if not place.region:
            hint = "Give --region"
            raise UsageError(f"{name} does not say in which region domain {place.domain_id} is", hint=hint)
        label = domain or _label(place, taken, is_alone=len(places) == 1)
        taken.add(label)
        founds.append(_Rows(label, place, left_out, settings=settings).found())
    return FromTerraform(tuple(founds), left_out.named(), state.others)


def _label(place: _Place, taken: set[str], *, is_alone: bool) -> str:
    if is_alone and not place.name:
        return "main"
    return free_name(FoundDomain(place.account, place.region, place.domain_id, place.name), taken)


class _LeftOut:
    """What is left out: why -> what."""

    def __init__(self, state: State) -> None:
        self._names: defaultdict[str, list[str]] = defaultdict(list)
        for why, names in state.left_out.items():
            self._names[why] += names

    def add(self, why: str, address: str) -> None:
        self._names[why].append(address)

    def unsaid(self, resource: Resource, known: Iterable[str]) -> None:
        """Note what a resource sets and that has no place in a fleet file, and what is hidden of it."""
        for path in resource.hidden:
            self.add(f"{path} is marked as sensitive, so it is not declared", resource.address)
        for key, value in resource.values.items():
            if key not in known and is_set(value):
                self.add(unsayable(clean(key, NAME_SHOWN_MAX_CHARS)), resource.address)

    def named(self) -> dict[str, tuple[str, ...]]:
        return {why: tuple(names) for why, names in sorted(self._names.items())}


def _places(resources: Iterable[Resource], left_out: _LeftOut) -> dict[str, _Place]:
    """Return the domains by id, each with what is in it. A domain's own resource is believed before all others."""
    places: dict[str, _Place] = {}
    for resource in sorted(resources, key=lambda one: (one.kind != DOMAIN, one.address)):
        domain_id = _text(resource, "id" if resource.kind == DOMAIN else "domain_id")
        if not is_domain_id(domain_id):
            left_out.add(_NO_DOMAIN, resource.address)
            continue
        region, account = _where(resource)
        place = places.setdefault(domain_id, _Place(domain_id))
        if (place.region and region and region != place.region) or (account and account != (place.account or account)):
            left_out.add(_OTHER_PLACE, resource.address)
            continue
        place.region, place.account = place.region or region, place.account or account
        if resource.kind == DOMAIN:
            place.name = place.name or _text(resource, "domain_name")
            left_out.add("of a domain only its id, region, account and name are in the file", resource.address)
        else:
            place.resources.append(resource)
    return places


def _where(resource: Resource) -> tuple[str, str]:
    """Return the region and the account of a resource, each empty where it names none."""
    arn = next((one for one in (_text(resource, "arn"), _text(resource, "id")) if one.startswith("arn:")), "")
    parts = arn.split(":", _ARN_PARTS_COUNT - 1)
    region, account = (parts[3], parts[4]) if len(parts) == _ARN_PARTS_COUNT else ("", "")
    region = _text(resource, "region") or region
    return (region if REGION.fullmatch(region) else ""), (account if ACCOUNT.fullmatch(account) else "")


def _text(resource: Resource, key: str) -> str:
    value = resource.values.get(key)
    return value if isinstance(value, str) else ""


def _inner(resource: Resource, block: str, key: str) -> str:
    """Return a text of a block that comes once."""
    found = resource.values.get(block)
    first = found[0] if isinstance(found, list) and found else found
    value = first.get(key) if isinstance(first, dict) else None
    return value if isinstance(value, str) else ""


class _Rows:
    """The rows of one domain."""

    def __init__(self, label: str, place: _Place, left_out: _LeftOut, *, settings: bool) -> None:
        self._label, self._place, self._left_out, self._settings = label, place, left_out, settings
        self._apps: dict[AppKey, ObservedApp] = {}
        self._owners: dict[Owner, ObservedOwner] = {}

    def found(self) -> Found:
        """Return what the state has of the domain."""
        read = {APP: self._app, PROFILE: self._profile, SPACES: self._space}
        for resource in self._place.resources:
            read[resource.kind](resource)
        profiles = {owner.name: row for owner, row in self._owners.items() if owner.kind == USER}
        spaces = {owner.name: row for owner, row in self._owners.items() if owner.kind == SPACE}
        # A profile may be in another state than what it owns.
        users = {name.casefold(): name for name in sorted(row.owner_user for row in spaces.values() if row.owner_user)}
        users |= {name.casefold(): name for name in profiles}
        named = {name for name in users.values() if name not in profiles} | profiles.keys()
        place = self._place
        return Found(
            self._label,
            place.domain_id,
            place.region,
            place.account,
            self._apps,
            tuple(sorted(named)),
            spaces,
            profiles,
        )

    def _app(self, resource: Resource) -> None:
        user, space = _text(resource, "user_profile_name"), _text(resource, "space_name")
        app_type, app_name = _text(resource, "app_type"), _text(resource, "app_name")
        if not (app_type and app_name and bool(user) != bool(space)):
            self._left_out.add(_NO_NAME, resource.address)
            return
        key = AppKey(self._label, USER if user else SPACE, user or space, app_type, app_name)
        if key in self._apps:
            self._left_out.add(_TWICE, resource.address)
            return
        block, unknown = structure_of(resource.values.get("resource_spec"), "ResourceSpec", "resource_spec")
        fields = {name: block[member] for member, name in RESOURCE_FIELDS.items() if isinstance(block.get(member), str)}
        self._note(resource, _OF_APPS, unknown)
        spec = replace(AppSpec(tags=self._tags(resource)), **fields)
        self._apps[key] = ObservedApp(key, AppStatus.IN_SERVICE, 0.0, spec)

    def _profile(self, resource: Resource) -> None:
        owner = self._owner(resource, USER, "user_profile_name")
        if owner is not None:
            self._owners[owner] = ObservedOwner(
                owner,
                _IN_SERVICE,
                0.0,
                settings=self._settings_of(resource, "user_settings", "UserSettings", _OF_PROFILES),
                sso_identity=_text(resource, "single_sign_on_user_value") if self._settings else "",
            )

    def _space(self, resource: Resource) -> None:
        owner = self._owner(resource, SPACE, "space_name")
        if owner is not None:
            self._owners[owner] = ObservedOwner(
                owner,
                _IN_SERVICE,
                0.0,
                owner_user=_inner(resource, "ownership_settings", "owner_user_profile_name"),
                sharing=_inner(resource, "space_sharing_settings", "sharing_type"),
                app_type=_inner(resource, "space_settings", "app_type"),
                settings=self._settings_of(resource, "space_settings", "SpaceSettings", _OF_SPACES),
            )

    def _owner(self, resource: Resource, kind: str, key: str) -> Owner | None:
        """Return which owner a resource is, None where it is none that can be imported."""
        name = _text(resource, key)
        owner = Owner(self._label, kind, name)  # type: ignore[arg-type]  # one of the two
        if not name or owner in self._owners:
            self._left_out.add(_TWICE if name else _NO_NAME, resource.address)
            return None
        if self._tags(resource):
            self._left_out.add(_OWNER_TAGS, resource.address)
        return owner

    def _settings_of(self, resource: Resource, block: str, shape: str, known: Iterable[str]) -> dict[str, Any] | None:
        if not self._settings:
            return None
        found, unknown = structure_of(resource.values.get(block), shape, block)
        self._note(resource, known, unknown)
        return found

    def _note(self, resource: Resource, known: Iterable[str], unknown: Iterable[str]) -> None:
        self._left_out.unsaid(resource, known)
        for path in unknown:
            self._left_out.add(unsayable(clean(path, NAME_SHOWN_MAX_CHARS)), resource.address)

    @staticmethod
    def _tags(resource: Resource) -> tuple[tuple[str, str], ...]:
        """Return the tags of a resource, those that the provider adds by default too."""
        found: dict[str, str] = {}
        for key in ("tags_all", "tags"):
            tags = resource.values.get(key)
            if isinstance(tags, dict):
                found |= {name: value for name, value in tags.items() if isinstance(value, str)}
        return tuple(sorted(found.items()))
