"""The flags that several commands share, in groups: each is one value, which a command takes as `asked`."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

from engine.app.completing import Value
from engine.cli import flags
from engine.cli.argv import words_of_command
from engine.cli.ask import require_answer
from engine.cli.context import key_of, options_of, simulate_of
from engine.core.crew import crew_of
from engine.core.errors import UsageError
from engine.core.limits import WORKERS_MAX_COUNT
from engine.core.request import ADOPT, FROM_FLEET, PRUNE, REPLACE, REPLACE_KEY, RETRY, Request
from engine.core.selectors import Selectors
from engine.core.shards import parse_shard

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.app.options import AppOptions
    from engine.cli.context import Globals


@dataclass(frozen=True)
class World:
    """How a command reads the fleet, and in which world."""

    strict: flags.StrictFlag = False
    simulate: flags.SimulateFlag = None

    def options(self, globals_: Globals) -> AppOptions:
        """Return the options of a command that is asked this. Raises UsageError for a value that cannot be read."""
        simulate = simulate_of(self.simulate)
        return replace(options_of(globals_), strict=self.strict, simulate=simulate, request=self.request())

    def request(self) -> Request:
        """Read what is asked for. Raises UsageError."""
        return Request()


@dataclass(frozen=True)
class Selection:
    """Which apps a command is about."""

    domain: Annotated[
        list[str] | None,
        flags.flag("--domain", help="Only this domain.", metavar="GLOB", autocompletion=flags.completing(Value.DOMAIN)),
    ] = None
    team: Annotated[
        list[str] | None,
        flags.flag("--team", help="Only this team.", metavar="GLOB", autocompletion=flags.completing(Value.TEAM)),
    ] = None
    user: Annotated[
        list[str] | None,
        flags.flag(
            "--user", help="Only this user profile.", metavar="GLOB", autocompletion=flags.completing(Value.USER)
        ),
    ] = None
    space: Annotated[
        list[str] | None,
        flags.flag("--space", help="Only this space.", metavar="GLOB", autocompletion=flags.completing(Value.SPACE)),
    ] = None
    app_type: Annotated[
        list[str] | None,
        flags.flag(
            "--app-type", help="Only this app type.", metavar="GLOB", autocompletion=flags.completing(Value.APP_TYPE)
        ),
    ] = None
    key: Annotated[
        list[str] | None,
        flags.flag("--key", help="Only this app; no glob.", metavar="KEY", autocompletion=flags.completing(Value.KEY)),
    ] = None

    def selectors(self) -> Selectors:
        """Read the selectors. Raises UsageError for a key that is not one."""
        return Selectors.parse(
            domains=self.domain or (),
            teams=self.team or (),
            users=self.user or (),
            spaces=self.space or (),
            app_types=self.app_type or (),
            keys=self.key or (),
        )


@dataclass(frozen=True)
class Looked(World, Selection):
    """What status is asked."""

    owners: flags.OwnersFlag = False

    def request(self) -> Request:
        """Read the selectors, and whether profiles and spaces are compared."""
        return Request(self.selectors(), owners=self.owners)


@dataclass(frozen=True)
class Team(World):
    """What onboard and offboard are asked."""

    allow_destructive: flags.AllowDestructiveFlag = None

    def request(self) -> Request:
        """Read what may be deleted."""
        return Request(allow_destructive=tuple(self.allow_destructive or ()))

    def run_options(self, globals_: Globals, command: str, *, yes: bool, lets_go: bool) -> AppOptions:
        """Return the options of a run that is more than an apply. Raises UsageError, also where nobody can answer."""
        require_answer(yes=yes)
        again = words_of_command(globals_.call.words)
        return replace(self.options(globals_), command=command, asks=not yes, again=again, lets_go=lets_go)


@dataclass(frozen=True)
class Asked(World, Selection):
    """What plan and apply are asked."""

    shard: Annotated[
        str | None,
        flags.flag(
            "--shard",
            help="Only this part of the accounts and regions: I counts from 0 to N-1.",
            metavar="I/N",
        ),
    ] = None
    workers: Annotated[
        int | None,
        flags.flag(
            "--workers",
            help="Divide the work among this many processes (extra dask); with --scheduler, among this many shards.",
            metavar="N",
            min=1,
            max=WORKERS_MAX_COUNT,
        ),
    ] = None
    scheduler: Annotated[
        str | None,
        flags.flag("--scheduler", help="Divide it among the workers of this Dask scheduler.", metavar="URL"),
    ] = None
    prune: Annotated[bool, flags.flag(PRUNE.flag, help="Delete what this fleet owns and no longer declares.")] = False
    adopt: Annotated[
        bool, flags.flag(ADOPT.flag, help="Take over declared apps that nobody owns: give them this fleet's tag.")
    ] = False
    from_fleet: Annotated[
        str | None,
        flags.flag(
            FROM_FLEET.flag,
            help="With --adopt: also take over declared apps, profiles and spaces that this other fleet owns.",
            metavar="FLEET",
        ),
    ] = None
    replace: Annotated[
        list[str] | None,
        flags.flag(
            REPLACE.flag,
            help="Replace apps that have drifted; with a KEY, that app alone, drifted or not. Repeatable.",
            metavar="[KEY]",
            autocompletion=flags.completing(Value.KEY),
        ),
    ] = None
    retry_quarantined: Annotated[
        bool, flags.flag(RETRY.flag, help="Retry apps that failed in several runs in a row.")
    ] = False
    owners: flags.OwnersFlag = False
    allow_destructive: flags.AllowDestructiveFlag = None
    refresh_quotas: Annotated[
        bool,
        flags.flag("--refresh-quotas", help="Fetch the quotas again, instead of using cached ones up to a day old."),
    ] = False

    def options(self, globals_: Globals) -> AppOptions:
        """Return the options, as every command of a world does."""
        crew = crew_of(self.workers, self.scheduler)
        return replace(super().options(globals_), refresh_quotas=self.refresh_quotas, crew=crew)

    def request(self) -> Request:
        """Read what is asked for. A lone `--replace` is every app that has drifted. Raises UsageError."""
        return Request(
            prune=self.prune,
            adopt=self.adopt,
            from_fleet=self._from_fleet(),
            replace_on_drift="" in (self.replace or ()),
            replace_keys=frozenset(key_of(text, REPLACE_KEY.flag) for text in self.replace or () if text),
            retry_quarantined=self.retry_quarantined,
            owners=self.owners,
            allow_destructive=tuple(self.allow_destructive or ()),
            selectors=self.selectors(),
        )

    def selectors(self) -> Selectors:
        """Read the selectors and the shard. Raises UsageError."""
        shards = () if self.shard is None else (parse_shard(self.shard),)
        return replace(super().selectors(), shards=shards)

    def _from_fleet(self) -> str:
        """Read the name of the fleet that apps are moved from. Raises UsageError where it cannot mean anything."""
        name, flag = self.from_fleet, FROM_FLEET.flag
        if name is None:
            return ""
        if not name.strip():
            raise UsageError(f"{flag} names no fleet", hint=f"Give the old name of the fleet: {flag} OLD")
        if not self.adopt:
            hint = f"Use {ADOPT.flag} {flag} {shlex.quote(name)}"
            raise UsageError(f"{flag} only works with {ADOPT.flag}", hint=hint)
        return name


def taking(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command the flags of the group that its `asked` is, behind its own: a class's own before its bases'."""
    own = signature(command, eval_str=True).parameters
    group = own["asked"].annotation
    hints = get_type_hints(group, include_extras=True)
    names = [name for part in group.__mro__[:-1] for name in part.__annotations__]

    @wraps(command)
    def taken(**given: Any) -> int:
        return command(asked=group(**{name: given.pop(name) for name in names}), **given)

    shared = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=getattr(group, name), annotation=hints[name]) for name in names
    ]
    parameters = [*(one for one in own.values() if one.name != "asked"), *shared]
    taken.__signature__ = Signature(parameters)  # type: ignore[attr-defined]  # what the parser reads
    taken.__annotations__ = {}
    return taken
