"""The watcher of one domain's apps: what it lists, what it goes on after, and when it stops waiting."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.errors import AccessDenied, CloudError, CredentialsFailed
from engine.core.observed import ObservedDomain
from engine.core.settings import Settings
from engine.executor.control import Control
from engine.executor.judge import Looked, Verdict
from engine.executor.kinds.app_watch import AppWatcher
from engine.executor.operation import Phase
from engine.ports.cloud import AppPage
from tests.fleets import LAB
from tests.simulation.virtual_loop import VirtualLoop
from tests.unit.executor.parts import an_operation
from tests.unit.executor.test_scan import Pages, page, row, scanner

if TYPE_CHECKING:
    from engine.executor.watcher import Finding

TIMEOUT_S = 30.0
BOB_LAB = "research/space/bob-lab/JupyterLab/default"


class SlowPages(Pages):
    """A cloud of which each answer takes a second."""

    async def list_apps(self, _domain: str, **asked: Any) -> AppPage:
        await asyncio.sleep(1.0)
        return await super().list_apps(_domain, **asked)


def found_by(cloud: Pages, rows: int = 10, also: str = "") -> list[tuple[float, Finding]]:
    """Await an app that was just accepted, and `also`, in a domain of so many rows; return what is found, and when."""
    loop = VirtualLoop(None)

    async def main() -> list[tuple[float, Finding]]:
        control = Control(3600.0, lambda _: None)
        watcher = AppWatcher(scanner(cloud), control, Settings(), rows)
        keys = {LAB, also} - {""}
        for operation in map(an_operation, sorted(keys)):
            operation.ours = True
            operation.await_from(Phase.SETTLE_CREATE, control.now(), TIMEOUT_S)
            watcher.watch(operation)
        findings: list[tuple[float, Finding]] = []
        async with aclosing(watcher.findings()) as found:
            async for one in found:
                findings.append((control.now(), one))
                if isinstance(one, CloudError) or len(looked_at(findings)) == len(keys):
                    break
        return findings

    try:
        return loop.run_until_complete(main())
    finally:
        loop.close()


def looked_at(findings: list[tuple[float, Finding]]) -> list[Looked]:
    return [found for _, found in findings if isinstance(found, Looked)]


def test_a_domain_of_one_page_is_listed_whole_which_also_shows_who_has_left() -> None:
    cloud = Pages(page("alice-lab", "zed-lab"))
    (_, listed), (_, looked) = found_by(cloud, rows=100)
    assert cloud.asked == [("", "")]
    assert isinstance(listed, ObservedDomain)
    assert {key.owner for key in listed.apps} == {"alice-lab", "zed-lab"}
    assert isinstance(looked, Looked)
    assert looked.verdict is Verdict.IN_SERVICE


def test_one_app_in_a_larger_domain_is_listed_by_its_owner_and_says_nothing_of_who_has_left() -> None:
    cloud = Pages(page("alice-lab"))
    ((_, looked),) = found_by(cloud, rows=101)
    assert cloud.asked == [("alice-lab", "")]
    assert isinstance(looked, Looked)
    assert looked.verdict is Verdict.IN_SERVICE


def test_a_look_that_fails_is_followed_by_another() -> None:
    """Denied for a moment, as while a role is being changed: what is awaited stays so."""
    cloud = SlowPages(page("bob-lab"), AccessDenied("not now"), page("alice-lab"))
    assert [one.verdict for one in looked_at(found_by(cloud))] == [Verdict.IN_SERVICE]
    assert len(cloud.asked) == 3


def test_a_look_after_which_no_call_can_succeed_is_what_is_found() -> None:
    ((_, ended),) = found_by(Pages(CredentialsFailed("expired")))
    assert isinstance(ended, CredentialsFailed)


def test_all_that_has_not_settled_in_time_is_let_go_at_once() -> None:
    """Two, since a tracer of Python 3.11 does not see what follows a wait that timed out until the next `yield`."""
    pending = AppPage((row("alice-lab", "Pending"), row("bob-lab", "Pending")), "")
    findings = found_by(Pages(*[pending] * 30), also=BOB_LAB)
    assert [one.verdict for one in looked_at(findings)] == [Verdict.TIMED_OUT] * 2
    assert [at for at, found in findings if isinstance(found, Looked)] == pytest.approx([TIMEOUT_S] * 2)
