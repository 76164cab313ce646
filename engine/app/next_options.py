"""What the next run is asked for: the options of this one, with the flags that lift what stopped it.

The result, the log and the report page of a later day print one and the same command. Not here: writing it out as a
command line (the command line's `context`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from engine.core.change import DESTROYING, Action
from engine.core.finding import GUARDRAIL, MANDATORY, allowed_flags
from engine.core.outcome import ApplyReport, Outcome, RunResult
from engine.core.request import ALLOW, Request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.app.options import AppOptions
    from engine.core.plan import Plan
    from engine.ports.history import RunStory

AGAIN: Final = "again"  # each word of a command that is next after itself
STRICT: Final = "strict"
SIMULATE: Final = "simulate"
_OVER: Final = frozenset({Outcome.DELETED, Outcome.REPLACED, Outcome.UNCHANGED, Outcome.STILL_PENDING})


def lifting(options: AppOptions, made: Plan | ApplyReport) -> AppOptions:
    """Return the options with what lets through a refused plan, or tries quarantined apps again.

    An allowance that was given with another count is replaced, and one that a run has used up in part or whole speaks
    of what is left. What a guardrail refused to a command that is more than an apply is refused to `apply` too, so its
    own words stay; where `apply` continues it, they are left out. So it is where the files have to be changed: then
    the words say something else than they do.
    """
    request = options.request
    retry = request.retry_quarantined or (isinstance(made, ApplyReport) and made.only_quarantined)
    flags = allowed_flags(made.findings) if made.denied else ()
    left = request.allow_destructive if made.denied or not isinstance(made, ApplyReport) else _left(request, made)
    given = {_pattern(flag): flag for flag in (*left, *flags)}
    stays = options.lets_go or (made.denied and not _is_for_the_files(made))
    request = replace(request, retry_quarantined=retry, allow_destructive=tuple(given.values()))
    return replace(options, request=request, again=_allowing(options.again, request) if options.again and stays else ())


def _is_for_the_files(made: Plan | ApplyReport) -> bool:
    """Whether something else than a limit of a policy denied it."""
    return any(one.enforcement == MANDATORY and not one.rule.startswith(GUARDRAIL) for one in made.findings)


def _left(request: Request, report: ApplyReport) -> tuple[str, ...]:
    """Return the allowances with the number of deletes and replaces that the run did not come to, without used ones.

    What was under way counts as done: a plan does not ask for it again. An allowance for none of them stays as it is.
    """
    if not request.allow_destructive:
        return ()
    from engine.policy.guardrails import parse_allowance

    ends = [(str(app.key), app.outcome, app.attempts) for app in report.apps if app.action in DESTROYING]
    ends += [(str(one.owner), one.outcome, one.attempts) for one in report.owners if one.action is Action.DELETE]
    allowances: list[str] = []
    for text in request.allow_destructive if ends else ():
        allowance = parse_allowance(text)
        covered = [end for end in ends if allowance.covers(end[0])]
        count = sum(not _is_over(outcome, attempts) for _, outcome, attempts in covered)
        if count or not covered:
            allowances.append(str(replace(allowance, count=count or allowance.count)))
    return tuple(allowances) if ends else request.allow_destructive


def _is_over(outcome: Outcome, attempts: int) -> bool:
    return outcome in _OVER or (outcome is Outcome.INTERRUPTED and attempts > 0)


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


def command_after(options: AppOptions, story: RunStory) -> str:
    """Return the command that continues where a run ended: with the same selection and world; a plan if it is over."""
    words = story.timeline.words
    kept = options_kept(options, () if words is None else words.asked)
    command = options.command_line(kept)
    is_over = story.detail.run.result == RunResult.CONVERGED.value
    return command.replace(" apply", " plan", 1) if is_over and not kept.again else command


def _pattern(flag: str) -> str:
    """Return the pattern of one value of --allow-destructive, without its count."""
    return flag.rpartition("=")[0] or flag
