"""`import`: live domains listed, made into a fleet file, proved to plan to nothing, and put in place whole.

Not here: what the file says (`config.imported`), how it is laid out (`config.fleet_text`), and reading a state of
Terraform (`app.import_terraform`).
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from engine.app.answers import answers
from engine.app.loading import load, now, today, validated
from engine.app.looking import looking
from engine.app.named_file import put_file
from engine.app.plan import iso
from engine.config.fleet.fleet_text import fleet_text
from engine.config.fleet.found_domains import free_name
from engine.config.fleet.imported import import_fleet
from engine.config.fleet.imported_rows import Found, unsayable
from engine.config.reading.problems import show_value
from engine.config.service.fields import REGION
from engine.config.toml_text import toml_value
from engine.core.desired import Source
from engine.core.errors import AccessDenied, BugError, ConfigError, ExitCode, UsageError
from engine.core.facts import Facts
from engine.core.finding import MANDATORY
from engine.core.identity import SPACE, USER
from engine.core.limits import FLEET_FILE_MAX_BYTES, OWNERS_ASKED_AT_ONCE_MAX_COUNT
from engine.core.observed import ObservedDomain, ObservedFleet
from engine.core.owner_settings import STATUS, path_of
from engine.core.owners import WantedOwners, declared_owners, with_owners
from engine.core.plan_options import PlanOptions
from engine.core.planner import plan_fleet
from engine.core.questions import ResidentsOf
from engine.core.settings import Execution
from engine.core.text import clean, count_of, listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from engine.app.loading import Loaded
    from engine.app.options import AppOptions
    from engine.app.session import Joined
    from engine.config.fleet.imported import Imported
    from engine.core.change import OwnerChange
    from engine.core.desired import DesiredDomain
    from engine.core.identity import AppKey, Owner
    from engine.core.observed import ObservedApp, ObservedOwner
    from engine.core.plan import Plan
    from engine.executor.owner_scan import OwnerScanner
    from engine.ports.events import Emit


@dataclass(frozen=True, slots=True)
class ImportAsked:
    """The domain, and the names that its fleet file shall have for the fleet and for the domain.

    An empty `domain_id` means every domain of the region: each then has its own name, and `domain` is not used. With
    `fleet` None the fleet is named after what is imported. `settings`: whether profiles and spaces are asked for
    theirs, at `read_rate` calls a second.
    """

    domain_id: str
    region: str
    fleet: str | None
    domain: str
    settings: bool = True
    read_rate: float = Execution().read_rate


@dataclass(frozen=True, slots=True)
class ImportResult:
    """The file's text, and what it holds and leaves out.

    `resources_left_out` are of a state of Terraform: why -> addresses. `other_types` counts what is there of each,
    and `unmarked` the resources that do not say which of their values are sensitive.
    """

    text: str
    imported: Imported
    resources_left_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    other_types: Mapping[str, int] = field(default_factory=dict)
    unmarked: int = 0


def with_region(asked: ImportAsked) -> ImportAsked:
    """Return what was asked for with the region of the environment where none was named. Raises UsageError."""
    from engine.app.reaching import configured_region

    region = asked.region or configured_region()
    if not region:
        raise UsageError(
            "import needs the region of the domain, and neither a flag nor the environment sets one",
            hint="Give --region, set AWS_REGION, or set region in the AWS profile",
        )
    return replace(asked, region=region)


def fleet_name(asked: ImportAsked, usual: str) -> str:
    """Return the name that the fleet shall have."""
    return usual if asked.fleet is None else asked.fleet


def bare_fleet(asked: ImportAsked, domains: Mapping[str, str] | None = None) -> Loaded:
    """Return a fleet of `domains` (name -> id) and nothing in them, so that they are reached as any other.

    Without `domains` it is the one that was asked for. Raises UsageError for a name, an id or a region that no fleet
    file takes.
    """
    # What was typed has to reach the loader, which says what is wrong with it.
    fleet, region = toml_value(fleet_name(asked, asked.domain_id)), toml_value(asked.region)
    text = f"schema = 1\nname = {fleet}\npolicies = []\n"
    for name, domain_id in ({asked.domain: asked.domain_id} if domains is None else domains).items():
        text += f"[domains.{toml_value(name)}]\nid = {toml_value(domain_id)}\nregion = {region}\n"
    try:
        loaded = _loaded(text)
    except ConfigError as error:
        first = error.diagnostics[0]
        raise UsageError(f"{first.key_path}: {first.message}", hint=first.hint) from None
    # What names a domain in an error is what was typed, not the file in which it was read and that is gone.
    flag = "--domain-id" if domains is None else "--all-domains:"
    typed = tuple(replace(one, source=Source(f"{flag} {one.domain_id}", 0)) for one in loaded.fleet.domains)
    read = loaded.policies.settings
    paced = replace(read, execution=replace(read.execution, read_rate=asked.read_rate))
    return replace(
        loaded,
        fleet=replace(loaded.fleet, domains=typed),
        policies=replace(loaded.policies, settings=paced),
    )


async def found_in(options: AppOptions, loaded: Loaded, parts: Joined, *, settings: bool) -> tuple[Found, ...]:
    """List each domain's apps, user profiles and spaces, each once, and ask each of these for its settings.

    Raises AppfleetError where a listing has no end, or one of them cannot be read: the file would not be of the domain.
    """
    names = [domain.name for domain in loaded.fleet.domains]
    observed = (await parts.run.observe(dict.fromkeys(names))).domains
    for name in names:
        if (error := observed[name].error) is not None:
            raise error
    facts = await answers(tuple(ResidentsOf(name) for name in names), Facts(), options, parts)
    found = []
    for domain in loaded.fleet.domains:
        residents = tuple(facts.residents[domain.name].values())
        rows = await with_settings(parts.run.owner_scanner(domain.name), residents) if settings else residents
        account = parts.run.links[domain.name].lane.account
        found.append(found_of(domain, account, observed[domain.name].apps, rows))
    return tuple(found)


def found_of(
    domain: DesiredDomain, account: str, apps: Mapping[AppKey, ObservedApp], rows: Iterable[ObservedOwner]
) -> Found:
    """Return what was read of a domain: its apps, and its profiles and spaces."""
    rows = tuple(rows)
    profiles = {row.owner.name: row for row in rows if row.owner.kind == USER}
    spaces = {row.owner.name: row for row in rows if row.owner.kind == SPACE}
    return Found(domain.name, domain.domain_id, domain.region, account, apps, tuple(sorted(profiles)), spaces, profiles)


async def with_settings(scanner: OwnerScanner, rows: Sequence[ObservedOwner]) -> tuple[ObservedOwner, ...]:
    """Ask for each owner, several at a time; one that has gone since the listing stays as that showed it.

    Raises CloudError and StoppedError.
    """
    found: dict[Owner, ObservedOwner] = {row.owner: row for row in rows}
    waiting = iter(rows)

    async def work() -> None:
        for row in waiting:
            described = await scanner.describe(row.owner)
            if described is not None:
                found[row.owner] = replace(described, owner=row.owner)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(OWNERS_ASKED_AT_ONCE_MAX_COUNT):
                group.create_task(work())
    except ExceptionGroup as errors:
        error = errors.exceptions[0]
        if isinstance(error, AccessDenied):
            error.hint = f"{error.hint}, or leave the settings out with --no-settings"
        raise error from None
    return tuple(found.values())


def checked(fleet: str, source: str, founds: Sequence[Found], now: datetime) -> ImportResult:
    """Make the file's text, read it as a run would, and plan it against what was found.

    `source` says where that was. Raises BugError, naming what differs, where the plan has anything in it.
    """
    imported = import_fleet(fleet, founds)
    head = (
        f"Written by appfleet import from {source} at {iso(now)}.\n"
        "It is yours from now on. Rename teams and apps as you like: no name here but those of users,\n"
        "spaces and apps reaches the service."
    )
    text = fleet_text(head, imported.document)
    if len(text.encode()) > FLEET_FILE_MAX_BYTES:
        raise UsageError(
            f"the imported file would be longer than the {FLEET_FILE_MAX_BYTES:,} bytes that a fleet file may have",
            hint="Leave the settings of user profiles and spaces out with --no-settings, or import fewer domains",
        )
    try:
        loaded = _loaded(text)
    except ConfigError as error:
        first = error.diagnostics[0]
        raise BugError(f"the imported file is not valid: {first.key_path}: {first.message}") from None
    declared = {app.key for app in loaded.fleet.apps}
    if declared != imported.keys:
        raise BugError(f"the imported file does not declare what it should: {_named(declared ^ imported.keys)}")
    observed = ObservedFleet({one.domain: ObservedDomain(one.domain, 0.0, one.apps) for one in founds})
    plan = plan_fleet(loaded.fleet, observed, PlanOptions(iso(now), now.date()))
    seen = {row.owner: row for one in founds for row in (*one.profiles.values(), *one.spaces.values())}
    owners = declared_owners(loaded.fleet, now.date())
    plan = with_owners(plan, owners, seen, WantedOwners(watched=frozenset(seen)))
    if differing := _differing(plan, imported.owners_left_out, named=0 if len(founds) > 1 else 1):
        raise BugError(f"planning the imported file shows changes: {differing}")
    return ImportResult(text, imported)


def put(path: Path, text: str) -> None:
    """Write the file whole or not at all, and never over another. Raises UsageError."""
    require_free(path)

    def check(made: Path) -> None:
        if made.read_text(encoding="utf-8") != text:
            raise UsageError(f"{path} reads back otherwise than it was written", hint="Check that disk")

    put_file(path, text, check)


def require_free(path: Path) -> None:
    """Raise UsageError where something has the name already."""
    if path.exists() or path.is_symlink():
        raise _there(path)


def refused_beside(path: Path, organization: Sequence[Path] = ()) -> str:
    """Return why the commands over an imported file fail, by the policies beside it; empty where they do not."""
    try:
        result = validated(path, today(), organization=organization)
    except ConfigError as error:
        first = error.diagnostics[0].render()
        return f"Both exit {error.exit_code}, since the policies beside it are not valid: {first}"
    if not result.denied:
        return ""
    denying = [f"{one.rule} ({one.source})" for one in result.findings if one.enforcement == MANDATORY]
    rules = listed(sorted(set(denying)))
    return f"Both exit {ExitCode.DENIED}, since mandatory rules beside it deny apps of this file: {clean(rules)}"


def _there(path: Path) -> UsageError:
    return UsageError(
        f"{clean(str(path))} already exists, and appfleet does not overwrite it",
        hint="Choose another name with --out, or move the file away",
    )


def _loaded(text: str) -> Loaded:
    """Read a fleet file's text by itself, with no policy beside it."""
    try:
        with tempfile.TemporaryDirectory(prefix="appfleet-import-") as folder:
            path = Path(folder) / "fleet.toml"
            path.write_text(text, encoding="utf-8")
            return load(path, datetime.now(UTC).date())
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise UsageError(
            f"the file cannot be checked, since a temporary folder cannot be written: {why}",
            hint="Make room there, or name another folder with TMPDIR",
        ) from None


def _differing(plan: Plan, left_out: Mapping[str, tuple[str, ...]], named: int) -> str:
    """Name what the plan of an imported file changes; what the file cannot say, and is left out of it, stays.

    What is left out is named by its owner from part `named` on.
    """
    told = [f"{change.key} {change.action.value} ({change.reason.value})" for change in plan.changes]
    told += [f"{change.key} differs in {', '.join(change.differs)}" for change in plan.drift]
    told += [
        f"{owner.owner} differs in {', '.join(fields)}"
        for owner in plan.owner_drift
        if (fields := [one.field for one in owner.differs if not _is_unsaid(owner, one.field, left_out, named)])
    ]
    told += [finding.message for finding in plan.findings]
    return _named(told)


def _is_unsaid(change: OwnerChange, field: str, left_out: Mapping[str, tuple[str, ...]], named: int) -> bool:
    """Whether the file cannot say it: a status, or a setting that is left out.

    The default of a space is then the spec of its app, whatever it was.
    """
    if field == STATUS:  # its last update failed; what it has is as in the file
        return True
    path = path_of(field, (change.after.app_type if change.after is not None else None) or "")
    name = "/".join(change.owner[named:])
    return path is not None and name in left_out.get(unsayable(".".join(("settings", *path))), ())


def _named(items: Iterable[object]) -> str:
    return listed(sorted(map(str, items)))


async def import_domain(options: AppOptions, asked: ImportAsked, emit: Emit) -> ImportResult:
    """List a live domain, or all of a region; give their fleet file, proved to plan to nothing.

    Raises UsageError and CloudError.
    """
    asked = with_region(asked)
    if not asked.domain_id:
        return await _import_all(options, asked, emit)
    head = bare_fleet(asked)
    found = await looking(options, head, emit, partial(found_in, settings=asked.settings))
    source = f"domain {asked.domain_id} in {asked.region}"
    return checked(fleet_name(asked, asked.domain_id), source, found, now())


async def _import_all(options: AppOptions, asked: ImportAsked, emit: Emit) -> ImportResult:
    """Import every domain that the credentials list in the region. Raises UsageError where there is none."""
    from engine.app.discover import domains_there

    if not REGION.fullmatch(asked.region):
        raise UsageError(f"{show_value(asked.region)} is not a region", hint="Give --region eu-west-1")
    nothing = bare_fleet(replace(asked, fleet=fleet_name(asked, "all")), {})
    there = await domains_there(options, nothing, asked.region, emit)
    if not there:
        raise UsageError(
            f"your credentials list no domain in {asked.region}", hint="Check --region, and whose credentials they are"
        )
    fleet = fleet_name(asked, f"{there[0].account}-{asked.region}")
    named: dict[str, str] = {}
    for one in there:
        named[free_name(one, named)] = one.domain_id
    head = bare_fleet(replace(asked, fleet=fleet), named)
    found = await looking(options, head, emit, partial(found_in, settings=asked.settings))
    source = f"{count_of(len(found), 'domain')} of account {found[0].account} in {asked.region}"
    return checked(fleet, source, found, now())
