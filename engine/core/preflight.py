"""Whether what a plan creates with is there: what has to be asked, and what follows from the answers.

Pure. Each distinct thing is one check, however many apps need it. What cannot be learned is a result of its own and
fails nothing: only who may look knows. Not here: asking (`app.preflight`), showing it (`render.preflight_text`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

from engine.core.facts import Facts, Unknown
from engine.core.finding import Finding
from engine.core.limits import PREFLIGHT_KEYS_SHOWN_MAX_COUNT
from engine.core.made_from import SETTINGS_OF, Arn
from engine.core.needs import Kind, Need, Question, elsewhere, has_image, has_script, question_of
from engine.core.plan import Plan, PlanLane
from engine.core.quota_text import quota_name
from engine.core.reserved import TrainingPlan, unusable
from engine.core.text import clean, count_of
from engine.core.trouble import Trouble

RULE: Final = "preflight"
UNCHECKED: Final = "unchecked"
_ADVISORY: Final = "advisory"
_IN_FILE: Final = {
    "image": "image_arn",
    "image version": "image_version_arn and image_version_alias",
    "lifecycle configuration": "lifecycle_config_arn",
    "execution role": "execution_role",
    "training plan": "training_plan_arn",
}
_USABLE: Final = frozenset({"CREATED", "UPDATING", "UPDATE_FAILED"})
_UNUSABLE: Final = frozenset({"CREATE_FAILED", "DELETING", "DELETE_FAILED"})
_MAKING: Final = frozenset({"CREATING"})


class Result(StrEnum):
    """What became of a check."""

    OK = "ok"
    FAULT = "fault"
    NOT_CHECKED = "not_checked"


@dataclass(frozen=True, slots=True)
class Check:
    """What is known of one need. `keys` are a few of the `count` apps, or profiles, that need it."""

    need: Need
    result: Result
    count: int
    keys: tuple[str, ...]
    why: str = ""
    hint: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the entry of `checks`."""
        need = self.need
        return {
            "kind": need.kind.value,
            "name": need.name,
            "alias": need.alias,
            "account": need.lane.account,
            "region": need.lane.region,
            "domain": need.domain,
            "app_type": need.app_type,
            "result": self.result.value,
            "why": self.why,
            "hint": self.hint,
            "count": self.count,
            "keys": list(self.keys),
        }


@dataclass(frozen=True, slots=True)
class Preflight:
    """All checks of a plan. `complete` is false when a domain could not be listed, `denied` when rules deny it."""

    fleet: str
    made_at: str
    lanes: tuple[PlanLane, ...]
    checks: tuple[Check, ...]
    complete: bool = True
    denied: bool = False

    @property
    def summary(self) -> dict[str, int]:
        """Count the checks by their result."""
        counts = Counter(check.result for check in self.checks)
        return {result.value: counts[result] for result in Result}

    @property
    def has_faults(self) -> bool:
        """Whether something is missing or cannot be used."""
        return any(check.result is Result.FAULT for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """Return the document of `preflight --format json`."""
        return {
            "format_version": 1,
            "fleet": self.fleet,
            "made_at": self.made_at,
            "lanes": [lane.to_json() for lane in self.lanes],
            "complete": self.complete,
            "denied": self.denied,
            "checks": [check.to_json() for check in self.checks],
            "summary": self.summary,
        }


def judged(
    needs: Mapping[Need, list[str]], answers: Mapping[Question, Any], facts: Facts, now: float
) -> tuple[Check, ...]:
    """Return a check of each need. An answer is what a call gave, None for what does not exist, or Unknown.

    `facts` are those of the plan, which has asked about quotas and training plans. `now` is epoch seconds.
    """
    return tuple(_check(need, keys, _found(need, answers, facts, now)) for need, keys in needs.items())


class _Found(NamedTuple):
    result: Result
    why: str = ""
    hint: str = ""


def _check(need: Need, keys: list[str], found: _Found) -> Check:
    shown = tuple(keys[:PREFLIGHT_KEYS_SHOWN_MAX_COUNT])
    return Check(need, found.result, len(keys), shown, clean(found.why), clean(found.hint))


_OK: Final = _Found(Result.OK)


def _found(need: Need, answers: Mapping[Question, Any], facts: Facts, now: float) -> _Found:
    if need.kind is Kind.TYPE:
        return _of_type(need, facts)
    if need.kind is Kind.TRAINING_PLAN:
        return _of_reserved(need, facts, now)
    question = question_of(need)
    if question is None:
        arn = Arn.of(need.name)
        return _Found(Result.NOT_CHECKED, "it has no ARN" if arn is None else elsewhere(need, arn))
    answer = answers.get(question, Unknown("appfleet did not ask about it"))
    if isinstance(answer, Unknown):
        return _Found(Result.NOT_CHECKED, answer.why)
    return _attached(need, answer) if need.domain else _existing(need, answer)


def _existing(need: Need, answer: Any) -> _Found:
    judge = _JUDGES.get(need.kind)
    if answer is None:
        return _missing(need)
    return _OK if judge is None else judge(need, answer)


def _missing(need: Need) -> _Found:
    where = f"account {need.lane.account}" + ("" if need.kind is Kind.ROLE else f", region {need.lane.region}")
    hint = f"Check {_IN_FILE[need.kind]} in the fleet file, or create it"
    return _Found(Result.FAULT, f"{need.thing} does not exist in {where}", hint)


def _of_image(need: Need, state: Any) -> _Found:
    said = f" ({state.reason})" if state.reason else ""
    if state.status in _USABLE:
        return _OK
    if state.status in _MAKING:
        return _Found(Result.FAULT, f"{need.thing} is being created", "Run again when it is CREATED")
    if state.status in _UNUSABLE:
        return _Found(Result.FAULT, f"{need.thing} is {state.status}{said}", "Create it again, or name another")
    return _Found(Result.NOT_CHECKED, f"it has the status {state.status}, which appfleet does not know")


def _of_script(need: Need, app_type: Any) -> _Found:
    if app_type == need.app_type:
        return _OK
    why = f"{need.thing} is for {app_type} apps, and is set for {need.app_type} apps"
    return _Found(Result.FAULT, why, "Name a lifecycle configuration of that app type in lifecycle_config_arn")


_JUDGES: Final[Mapping[Kind, Callable[[Need, Any], _Found]]] = {
    Kind.IMAGE: _of_image,
    Kind.VERSION: _of_image,
    Kind.SCRIPT: _of_script,
}


def _attached(need: Need, defaults: Any) -> _Found:
    """Judge whether a domain attaches an image or a script, for its user profiles or for its shared spaces."""
    if defaults is None:
        return _Found(Result.NOT_CHECKED, f"domain {need.domain} does not exist")
    settings, arn = SETTINGS_OF[need.app_type], Arn.of(need.name)
    name = need.name if arn is None else arn.name
    if need.kind is Kind.IMAGE:
        is_there = any(has_image(one, settings, name) for one in (defaults.user, defaults.space))
    else:
        is_there = any(has_script(one, settings, need.name) for one in (defaults.user, defaults.space))
    if is_there:
        return _OK
    member = "CustomImages" if need.kind is Kind.IMAGE else "LifecycleConfigArns"
    why = f"{need.thing} is not attached to domain {need.domain} for {need.app_type} apps"
    return _Found(Result.FAULT, why, f"Add it to {settings}.{member} of the domain, or of the user profiles")


def _of_type(need: Need, facts: Facts) -> _Found:
    """Judge whether a region offers an instance type: it has a quota then, in whatever account it was listed."""
    known = facts.quotas.get(need.lane)
    names = {name for lane, quotas in facts.quotas.items() if lane.region == need.lane.region for name in quotas.values}
    if not names:
        why = known.unread_because if known is not None else ""
        return _Found(Result.NOT_CHECKED, why or "the quotas were not read")
    if quota_name(need.app_type, need.name) in names:
        return _OK
    why = f"{need.name} is not offered for {need.app_type} apps in region {need.lane.region}: it has no quota there"
    return _Found(Result.FAULT, why, "Name another type in instance_type or fallback")


def _of_reserved(need: Need, facts: Facts, now: float) -> _Found:
    found = facts.training_plans.get(need.name, Unknown("appfleet did not ask about it"))
    if isinstance(found, Unknown):
        return _Found(Result.NOT_CHECKED, found.why)
    if found is None:
        return _missing(need)
    if isinstance(found, TrainingPlan) and (fault := unusable(found, need.instance_type, now)):
        return _Found(Result.FAULT, *fault)
    return _OK


def findings_of(checks: Iterable[Check]) -> tuple[Finding, ...]:
    """Return what a plan says of its checks: each fault, what was not checked by its reason, and the sum."""
    checks = tuple(checks)
    counts = Counter(check.result for check in checks)
    findings = [
        Finding(RULE, _ADVISORY, "", f"{check.why}; {needed_by(check)} would fail. {check.hint}")
        for check in checks
        if check.result is Result.FAULT
    ]
    unknown: defaultdict[str, list[str]] = defaultdict(list)
    for check in checks:
        if check.result is Result.NOT_CHECKED:
            unknown[check.why].append(check.need.shown)
    findings += [
        Finding(UNCHECKED, _ADVISORY, "", f"{_first(names)} {'was' if len(names) == 1 else 'were'} not checked: {why}")
        for why, names in unknown.items()
    ]
    if checks and not findings:
        said = count_of(counts[Result.OK], "thing")
        findings.append(Finding(UNCHECKED, _ADVISORY, "", f"preflight found all {said} that the plan needs"))
    return tuple(sorted(findings))


def trouble_of_faults(found: Preflight) -> Trouble | None:
    """Return why a preflight does not exit with 0; None where nothing is missing."""
    faults = found.summary[Result.FAULT.value]
    return _trouble(faults) if faults else None


def trouble_of_plan(plan: Plan) -> Trouble | None:
    """Return why a plan with a preflight does not exit with 0; None where nothing is missing."""
    faults = sum(finding.rule == RULE for finding in plan.findings)
    return _trouble(faults) if faults else None


def _trouble(faults: int) -> Trouble:
    said = count_of(faults, "thing that the plan needs is", "things that the plan needs are")
    return Trouble(RULE, f"{said} missing or cannot be used", "The findings say what to do about each")


def needed_by(check: Check) -> str:
    """Return `12 apps (KEY, KEY and 10 more)`; of profiles that are made, those."""
    word = "app" if check.keys and check.keys[0].count("/") > 2 else "user profile"
    more = check.count - len(check.keys)
    rest = f" and {more:,} more" if more else ""
    return f"{count_of(check.count, word)} ({', '.join(check.keys)}{rest})"


def _first(names: list[str]) -> str:
    more = len(names) - PREFLIGHT_KEYS_SHOWN_MAX_COUNT
    return ", ".join(names[:PREFLIGHT_KEYS_SHOWN_MAX_COUNT]) + (f" and {more:,} more" if more > 0 else "")
