"""A space that is not the one that is declared: named in every form of the plan, and never used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.harness import DOMAIN_ID, fleet_text, lab_of, people

if TYPE_CHECKING:
    from engine.simulator.world.world import World
    from tests.e2e.harness import Place

WHY = {
    "owner": "space u000-lab belongs to u001, and the fleet declares it as u000's",
    "type": "space u000-lab is a space for CodeEditor, and the fleet declares JupyterLab in it",
}


@pytest.mark.parametrize("what", WHY)
def test_it_is_a_finding_of_plan_and_status_and_its_app_is_skipped(place: Place, what: str) -> None:
    def take(world: World) -> None:
        space = world.domains[DOMAIN_ID].spaces["u000-lab"]
        if what == "owner":
            space.owner = "u001"
        else:
            space.settings["AppType"] = "CodeEditor"

    place.write(fleet_text(people(2)))
    place.within(take)
    (finding,) = [one for one in place.run("plan", "--format", "json").report["findings"] if one["rule"] == "owners"]
    assert finding["key"] == "research/space/u000-lab"
    assert finding["message"].startswith(WHY[what])
    for command in (("plan",), ("plan", "--format", "markdown"), ("status",), ("status", "--format", "json")):
        out = " ".join(place.run(*command).out.replace("&#x27;", "'").replace("&#39;", "'").split())
        assert WHY[what] in out, command
    (quota,) = place.run("plan", "--format", "json").report["quotas"]
    assert (quota["wanted"], quota["fits"]) == (1, "yes"), "what is skipped wants no place"
    status = place.run("status").out
    assert "Missing (1 app): apply does not create them\n  research/space/u000-lab/" in status
    assert "Missing (1 app): apply creates them\n  research/space/u001-lab/" in status
    assert "its user profile or space cannot be used" in status
    shown = {"owner": "1 somebody else's", "type": "1 of another app type"}
    assert shown[what] in place.run("status", "--owners").out
    place.forget_calls()
    ran = place.apply()
    ended = {app["key"]: app["outcome"] for app in ran.report["apps"]}
    assert ended[lab_of("u000")] == "skipped"
    assert ended[lab_of("u001")] == "created"
    assert place.calls()["CreateApp"] == {"ok": 1}
