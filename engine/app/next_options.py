"""What the next run is asked for: the options of this one, with the flags that lift what stopped it.

The result, the log and the report page of a later day print one and the same command. Not here: writing it out as a
command line (the command line's `context`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from engine.core.finding import allowed_flags
from engine.core.outcome import ApplyReport
from engine.core.request import ALLOW, Request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.app.options import AppOptions
    from engine.core.plan import Plan

AGAIN: Final = "again"  # each word of a command that is next after itself
STRICT: Final = "strict"
SIMULATE: Final = "simulate"


def lifting(options: AppOptions, made: Plan | ApplyReport) -> AppOptions:
    """Return the options with what lets through a refused plan, or tries quarantined apps again.

    An allowance that was given with another count is replaced. What a guardrail refused to a command that is more than
    an apply is refused to `apply` too, so its own words stay; where `apply` continues it, they are left out.
    """
    request = options.request
    retry = request.retry_quarantined or (isinstance(made, ApplyReport) and made.only_quarantined)
    flags = allowed_flags(made.findings) if made.denied else ()
    given = {_pattern(flag): flag for flag in (*request.allow_destructive, *flags)}
    goes_on = options.again and (made.denied or options.lets_go)
    request = replace(request, retry_quarantined=retry, allow_destructive=tuple(given.values()))
    return replace(options, request=request, again=_allowing(options.again, request) if goes_on else ())


def _allowing(words: Sequence[str], request: Request) -> tuple[str, ...]:
    """Return the words of a command with the allowances of `request` instead of those that it has."""
    kept: list[str] = []
    waiting = iter(words)
    for word in waiting:
        if word == ALLOW.flag:
            next(waiting, None)
        elif not word.startswith(f"{ALLOW.flag}="):
            kept.append(word)
    return (*kept, *Request(allow_destructive=request.allow_destructive).argv())


def asked_pairs(options: AppOptions) -> list[tuple[str, str]]:
    """Return what decides what a run is about, as (name, value), to be kept with the run."""
    pairs = [*options.request.kept(), *([(STRICT, "")] if options.strict else [])]
    pairs += [(AGAIN, word) for word in options.again]
    return [*pairs, *([(SIMULATE, options.simulate)] if options.simulate is not None else [])]


def options_kept(options: AppOptions, asked: Sequence[tuple[str, str]]) -> AppOptions:
    """Return the options with what `asked_pairs` kept of a run."""
    given = dict(reversed(asked))
    return replace(
        options,
        request=Request.from_kept(asked),
        strict=STRICT in given,
        simulate=given.get(SIMULATE),
        again=tuple(word for name, word in asked if name == AGAIN),
    )


def _pattern(flag: str) -> str:
    """Return the pattern of one value of --allow-destructive, without its count."""
    return flag.rpartition("=")[0] or flag
