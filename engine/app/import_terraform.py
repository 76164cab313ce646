"""`import --from-terraform`: the JSON of a Terraform state made into a fleet file, offline.

The state is taken for what is there, and the file is proved against it. Not here: what the state says
(`config.fleet.terraform_state`, `config.fleet.terraform_rows`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from engine.app.import_domain import bare_fleet, checked, fleet_name
from engine.app.loading import now
from engine.config.fleet.terraform_rows import KINDS, rows_of
from engine.config.fleet.terraform_state import SHOW, read_state
from engine.config.reading.beneath import FileProblem
from engine.config.reading.regular_file import read_regular
from engine.core.errors import UsageError
from engine.core.limits import TERRAFORM_STATE_MAX_BYTES
from engine.core.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from engine.app.import_domain import ImportAsked, ImportResult
    from engine.config.fleet.imported_rows import Found

_ANY_DOMAIN: Final = "d-abcd1234efgh"
_ANY_REGION: Final = "eu-west-1"


def import_state(path: Path, asked: ImportAsked, domain: str | None) -> ImportResult:
    """Read a state, and give its fleet file, proved to plan to nothing against what the state says.

    `domain` is the fleet's name for the one domain. `asked` names a domain alone where only that is wanted, and the
    region where the state names none. Raises UsageError.
    """
    name = clean(str(path))
    # What was typed is checked before anything is read: names and a region as a fleet file takes them.
    typed = replace(asked, domain_id=_ANY_DOMAIN, region=asked.region or _ANY_REGION, fleet=fleet_name(asked, "any"))
    bare_fleet(typed)
    try:
        raw = read_regular(path, name, TERRAFORM_STATE_MAX_BYTES)
    except FileProblem as problem:
        raise UsageError(problem.message, hint=f"Name the file that Terraform wrote: {SHOW}") from None
    state = read_state(raw, name, KINDS)
    rows = rows_of(
        state, name=name, region=asked.region, domain_id=asked.domain_id, domain=domain, settings=asked.settings
    )
    result = checked(fleet_name(asked, _usual_name(rows.founds)), f"Terraform state {name}", rows.founds, now())
    return replace(result, resources_left_out=rows.left_out, other_types=rows.others, unmarked=state.unmarked)


def _usual_name(founds: Sequence[Found]) -> str:
    """Return the name of a fleet that nobody named: the id of its domain, or its account and region."""
    if len(founds) == 1:
        return founds[0].domain_id
    places = {(found.account, found.region) for found in founds}
    account, region = next(iter(places)) if len(places) == 1 else ("", "")
    return f"{account}-{region}" if account else founds[0].domain_id
