"""What the next run is asked for: the options of this one, with the flags that lift what stopped it.

The result, the log and the report page of a later day print one and the same command. Not here: writing it out as a
command line (the command line's `context`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from engine.core.finding import allowed_flags
from engine.core.outcome import ApplyReport

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engine.app.options import AppOptions
    from engine.core.plan import Plan

AGAIN: Final = "again"  # each word of a command that is next after itself
_ALLOW: Final = "--allow-destructive"


def lifting(options: AppOptions, made: Plan | ApplyReport) -> AppOptions:
    """Return the options with what lets through a refused plan, or tries quarantined apps again.

    An allowance that was given with another count is replaced. What a guardrail refused to a command that is more than
    an apply is refused to `apply` too, so its own words stay; where `apply` continues it, they are left out.
    """
    if isinstance(made, ApplyReport) and made.only_quarantined:
        options = replace(options, retry_quarantined=True)
    flags = allowed_flags(made.findings) if made.denied else ()
    given = {_pattern(flag): flag for flag in (*options.allow_destructive, *flags)}
    goes_on = options.again and (made.denied or options.lets_go)
    again = _allowing(options.again, given.values()) if goes_on else ()
    return replace(options, allow_destructive=tuple(given.values()), again=again)


def _allowing(words: Sequence[str], allowances: Iterable[str]) -> tuple[str, ...]:
    """Return the words of a command with these values of --allow-destructive instead of those that it has."""
    kept: list[str] = []
    waiting = iter(words)
    for word in waiting:
        if word == _ALLOW:
            next(waiting, None)
        elif not word.startswith(f"{_ALLOW}="):
            kept.append(word)
    return (*kept, *(part for allowed in allowances for part in (_ALLOW, allowed)))


def asked_pairs(options: AppOptions) -> list[tuple[str, str]]:
    """Return what decides what a run is about, as (name of the flag, value), to be kept with the run."""
    switches = {
        "prune": options.prune,
        "adopt": options.adopt,
        "replace-on-drift": options.replace_on_drift,
        "retry-quarantined": options.retry_quarantined,
        "strict": options.strict,
    }
    pairs = [*options.selectors.pairs(), *((name, "") for name, on in switches.items() if on)]
    pairs += [("replace", str(key)) for key in sorted(options.replace_keys)]
    pairs += [("allow-destructive", allowed) for allowed in options.allow_destructive]
    pairs += [("from-fleet", options.from_fleet)] if options.from_fleet else []
    pairs += [(AGAIN, word) for word in options.again]
    return [*pairs, *([("simulate", options.simulate)] if options.simulate is not None else [])]


def _pattern(flag: str) -> str:
    """Return the pattern of one value of --allow-destructive, without its count."""
    return flag.rpartition("=")[0] or flag
