"""The flags that plan and apply share: one value, which their functions take as one parameter."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, fields, replace
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import TYPE_CHECKING, Any, get_type_hints

from engine.cli import flags
from engine.core.errors import UsageError
from engine.core.request import ADOPT, FROM_FLEET, REPLACE_KEY, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.app.options import AppOptions
    from engine.cli.context import Globals


@dataclass(frozen=True, slots=True)
class Asked:
    """The flags as they were given, in the order in which the help lists them."""

    prune: flags.PruneFlag = False
    adopt: flags.AdoptFlag = False
    from_fleet: flags.FromFleetFlag = None
    replace: flags.ReplaceFlag = None
    retry_quarantined: flags.RetryQuarantinedFlag = False
    allow_destructive: flags.AllowDestructiveFlag = None
    refresh_quotas: flags.RefreshQuotasFlag = False
    strict: flags.StrictFlag = False
    simulate: flags.SimulateFlag = None
    domain: flags.DomainFlag = None
    team: flags.TeamFlag = None
    user: flags.UserFlag = None
    space: flags.SpaceFlag = None
    app_type: flags.AppTypeFlag = None
    key: flags.KeyFlag = None

    def options(self, globals_: Globals) -> AppOptions:
        """Return the options of a command that is asked this. Raises UsageError for a value that cannot be read."""
        from engine.cli.context import options_of, simulate_of

        return replace(
            options_of(globals_),
            simulate=simulate_of(self.simulate),
            request=self.request(),
            strict=self.strict,
            refresh_quotas=self.refresh_quotas,
        )

    def request(self) -> Request:
        """Read what is asked for. A lone `--replace` is every app that has drifted. Raises UsageError."""
        from engine.cli.context import key_of, selectors_of

        from_fleet = self._from_fleet()
        keys = frozenset(key_of(text, REPLACE_KEY.flag) for text in self.replace or () if text)
        return Request(
            selectors_of(self.domain, self.team, self.user, self.space, self.app_type, self.key),
            prune=self.prune,
            adopt=self.adopt,
            from_fleet=from_fleet,
            replace_on_drift="" in (self.replace or ()),
            replace_keys=keys,
            retry_quarantined=self.retry_quarantined,
            allow_destructive=tuple(self.allow_destructive or ()),
        )

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


def takes_asked(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command these flags, behind its own; it takes them as `asked`."""
    hints = get_type_hints(Asked, include_extras=True)
    shared = [
        Parameter(one.name, Parameter.KEYWORD_ONLY, default=one.default, annotation=hints[one.name])
        for one in fields(Asked)
    ]

    @wraps(command)
    def taking(**given: Any) -> int:
        asked = Asked(**{one.name: given.pop(one.name) for one in shared})
        return command(**given, asked=asked)

    own = [one for one in signature(command, eval_str=True).parameters.values() if one.name != "asked"]
    taking.__signature__ = Signature([*own, *shared])  # type: ignore[attr-defined]  # what the parser reads
    taking.__annotations__ = {}
    return taking
