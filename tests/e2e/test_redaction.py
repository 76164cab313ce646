"""A service that repeats credentials, in every field and form: nothing of them is shown, logged or kept."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from engine.simulator.world.faults import FailureRule
from tests.e2e.harness import QUICK, SECRET_KEY, SESSION_TOKEN, fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.harness import Place

PIECE_CHARS = 12
FORMS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "url": lambda text: quote(text, safe=""),
    "url-twice": lambda text: quote(quote(text, safe=""), safe=""),
    "json": lambda text: json.dumps(json.dumps(text))[1:-1],
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64-url": lambda text: base64.urlsafe_b64encode(b"ab" + text.encode()).decode(),
}


def pieces(place: Place, form: str) -> list[str]:
    """Every piece of the secrets in that form that can be found in what the runs have left in the folder."""
    kept = b"\n".join(
        path.read_bytes() for path in place.folder.rglob("*") if path.is_file() and "scenario" not in path.name
    )
    inside = form[3:-3]
    return [
        inside[at : at + PIECE_CHARS]
        for at in range(len(inside) - PIECE_CHARS)
        if inside[at : at + PIECE_CHARS].encode() in kept
    ]


@pytest.mark.parametrize("where", ["code", "message", "reason"])
def test_no_sink_shows_a_credential_that_the_service_repeats(place: Place, where: str) -> None:
    written = [form(secret) for form in FORMS.values() for secret in (SECRET_KEY, SESSION_TOKEN)]
    if where == "reason":
        place.within(lambda world: world.failures.append(FailureRule(f"ConfigurationError: {' and '.join(written)}")))
    else:
        # The text is cut at 1,000 characters: somewhere in the midst of the forms.
        told = {"code": f"X{SECRET_KEY}", "message": f"{'x' * 700} {' and '.join(written)}"}
        more = {"code": "ValidationException", where: told[where]}
        place.scenario(QUICK + fault("error", "CreateApp", **more, max_count=9))
    outs = [place.apply("--metrics-file", "m.prom")]
    assert outs[0].code == 3
    outs += [place.run(*words) for words in (["report"], ["history", "--format", "json"], ["status"])]
    (place.folder / "outs.txt").write_text("\n".join(ran.out + ran.err for ran in outs))
    assert [piece for form in written for piece in pieces(place, form)] == []
