"""What `onboard` and `offboard` lay over a fleet before it is planned, and what they see to in its plan.

What lets go declares apps absent that no file declares absent; the planner, the guardrails and the executor then do
what they do for any delete. Not here: which owner may be deleted (`core.offboarding`), and `onboard --undo` (`undo`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Final

from engine.config.fleet.fleet_file import load_fleet
from engine.core.change import Action
from engine.core.counted import keys_counted
from engine.core.desired import DesiredApp, Mode, Source
from engine.core.errors import DeniedError, UsageError
from engine.core.identity import folded_owner, word_of_key
from engine.core.nearest import nearest
from engine.core.offboarding import with_owner_deletes
from engine.core.request import allowing
from engine.core.text import clean

if TYPE_CHECKING:
    from pathlib import Path

    from engine.app.loading import Loaded
    from engine.config.fleet.fleet_file import LoadedFleet
    from engine.core.desired import DesiredOwner
    from engine.core.facts import Facts
    from engine.core.identity import Owner
    from engine.core.plan import Plan

OFFBOARDED_FOLDER: Final = "offboarded"


class Preparation(ABC):
    """What a command lays over the fleet, and over the plan that is made of it. `lets_go`: it deletes."""

    __slots__ = ()
    lets_go: ClassVar[bool] = True

    @property
    def leaving(self) -> tuple[DesiredOwner, ...]:
        """The profiles and spaces that it may delete."""
        return ()

    @property
    def restored(self) -> tuple[Owner, ...]:
        """The profiles and spaces whose settings it may put back."""
        return ()

    @abstractmethod
    def fleet(self, loaded: Loaded) -> Loaded:
        """Return the files' fleet as this command means it."""

    def over(self, made: Plan, _: Facts) -> Plan:
        """Return the whole plan as this command means it. Raises DeniedError."""
        return made


@dataclass(frozen=True, slots=True)
class Onboarding(Preparation):
    """One team alone: its people's apps count as the team's, also of those who are in other teams."""

    domain: str
    team: str
    lets_go: ClassVar[bool] = False

    def fleet(self, loaded: Loaded) -> Loaded:
        """Set the team on every app of its people and spaces."""
        owners = {
            one.owner for one in loaded.fleet.owners if one.owner.domain == self.domain and self.team in one.teams
        }
        apps = tuple(replace(app, team=self.team) if app.key.owner_key in owners else app for app in loaded.fleet.apps)
        return replace(loaded, fleet=replace(loaded.fleet, apps=apps))


@dataclass(frozen=True, slots=True)
class Offboarding(Preparation):
    """A team that no file declares any more: its apps, and with `with_owners` its spaces and profiles.

    `must_be_covered` asks for an `--allow-destructive` that covers every owner: nobody can type a confirmation.
    """

    team: str
    apps: tuple[DesiredApp, ...]
    owners: tuple[DesiredOwner, ...]
    with_owners: bool = False
    must_be_covered: tuple[str, ...] | None = None

    def fleet(self, loaded: Loaded) -> Loaded:
        """Declare the team's apps absent."""
        return with_absent(loaded, self.apps)

    @property
    def leaving(self) -> tuple[DesiredOwner, ...]:
        """The team's own profiles and spaces."""
        return self.owners if self.with_owners else ()

    def over(self, made: Plan, facts: Facts) -> Plan:
        """Add the deletes of owners that may go."""
        if not self.with_owners:
            return made
        seen = {owner: row for domain in facts.residents.values() for owner, row in domain.items()}
        made = with_owner_deletes(made, self.owners, seen, facts.observed)
        if self.must_be_covered is not None:
            require_cover(made, self.must_be_covered, "the team's name")
        return made


def offboarding(
    fleet_file: Path, team: str, inside: str, *, with_owners: bool, allowed: tuple[str, ...] | None
) -> Offboarding:
    """Find out what a team has that nothing else declares.

    `inside` is the file, below the fleet file's folder, that still says what the team was; `allowed` as
    `must_be_covered`. Raises UsageError while the next run would make the team again.
    """
    without = load_fleet(fleet_file)
    for domain, standing in without.teams:
        if standing.name == team:
            raise _still_declared(team, domain, standing.source, inside)
    if not (without.folder / inside).is_file():
        raise UsageError(
            f"nothing describes team {clean(team, 80)}: there is no {without.folder / inside}",
            hint=_nearest_team(team, without, inside)
            or "Put the team's table there, from version control if need be, or name its file with --from",
        )
    whole = load_fleet(fleet_file, (inside,))
    if team not in {standing.name for _, standing in whole.teams}:
        there = {standing.name for _, standing in whole.teams} - {standing.name for _, standing in without.teams}
        guess = nearest(team, there)
        hint = f"Did you mean {guess}?" if guess else "Name the team as it is written there"
        raise UsageError(f"{inside} declares no team {clean(team, 80)}", hint=hint)
    kept_apps = {app.key for app in without.fleet.apps}
    kept_owners = {folded_owner(one.owner) for one in without.fleet.owners}
    return Offboarding(
        team,
        tuple(replace(app, team=team) for app in whole.fleet.apps if app.key not in kept_apps),
        tuple(one for one in whole.fleet.owners if folded_owner(one.owner) not in kept_owners),
        with_owners,
        allowed,
    )


def _nearest_team(team: str, fleet: LoadedFleet, inside: str) -> str:
    """Return `Did you mean vision?` of the teams that are declared, and of those whose file lies beside `inside`."""
    beside = (fleet.folder / inside).parent
    known = {standing.name for _, standing in fleet.teams}
    if beside.is_dir():
        known |= {path.stem for path in beside.glob("*.toml")}
    guess = nearest(team, known - {team})
    return f"Did you mean {guess}?" if guess else ""


def with_absent(loaded: Loaded, absent: tuple[DesiredApp, ...]) -> Loaded:
    """Return the fleet that declares these apps absent, whatever its files say of them."""
    gone = {app.key: replace(app, mode=Mode.ABSENT, expires=None) for app in absent}
    kept = (app for app in loaded.fleet.apps if app.key not in gone)
    apps = tuple(sorted((*kept, *gone.values()), key=lambda app: app.key))
    return replace(loaded, fleet=replace(loaded.fleet, apps=apps))


def _still_declared(team: str, domain: str, source: Source, inside: str) -> UsageError:
    own_file = source.file.endswith(f"teams/{team}.toml")
    move = f"move {source.file} to {inside}" if own_file else f"move [domains.{domain}.teams.{team}] to {inside}"
    return UsageError(
        f"team {team} is still in {source}, which the next run reads: that run would create its apps again",
        hint=f"First {move} (no include may match it), then run this command again",
    )


def require_cover(made: Plan, allowed: tuple[str, ...], typed: str) -> None:
    """Raise DeniedError unless `allowed` covers every owner that the plan deletes; `typed` is what confirms it else."""
    from engine.policy.guardrails import parse_allowance

    allowances = [parse_allowance(text) for text in allowed]
    keys = [str(change.owner) for change in made.owners if change.action is Action.DELETE]
    bare = [key for key in keys if not any(allowance.covers(key) for allowance in allowances)]
    if not bare:
        return
    going = [*keys, *(str(change.key) for change in made.changes if change.action is Action.DELETE)]
    domains = sorted({key.split("/")[0] for key in going})
    volumes = ", volumes included" if any(word_of_key(key) == "space" for key in bare) else ""
    flag = allowing([f"{f'{domains[0]}/' if len(domains) == 1 else ''}*={len(going)}"])
    unconfirmed = "it" if len(bare) == len(going) == 1 else keys_counted(bare) if len(bare) < len(keys) else "that"
    raise DeniedError(
        f"{keys_counted(going)} would be deleted{volumes}, and you did not confirm {unconfirmed}",
        hint=f"If you intend this, add {flag}, or run it at a terminal without --yes and type {typed}",
    )
