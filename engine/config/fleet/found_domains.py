"""The table of domains that `discover` writes: what was found, beside what people wrote into it before.

A row keeps its name and the columns that are not of the domain itself, since the fleet's keys begin with the name. Not
here: reading it for a fleet (`domains_file`).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

from engine.config.fleet.domains_file import NAME, OWN_COLUMNS, read_domains
from engine.core.limits import LABEL_MAX_CHARS

_COLUMNS: Final = (NAME, *OWN_COLUMNS)
_NOT_IN_LABELS: Final = re.compile(r"[^A-Za-z0-9]+")
Place = tuple[str, str, str]  # account, region, id


class FoundDomain(NamedTuple):
    """A domain that is there; `name` is SageMaker's."""

    account: str
    region: str
    domain_id: str
    name: str

    @property
    def place(self) -> Place:
        """What tells it from every other one."""
        return self.account, self.region, self.domain_id


class DomainsTable(NamedTuple):
    """The text of the table, and the domains that it has and an earlier one did not, or the other way round."""

    text: str
    rows: int
    added: tuple[Place, ...]
    gone: tuple[Place, ...]


def domains_table(
    found: Iterable[FoundDomain], before: str = "", unread: Collection[tuple[str, str]] = ()
) -> DomainsTable:
    """Return the table of what was found, sorted by account, region and id.

    `before` is the table that was there. Its rows of an account and region in `unread`, which could not be listed,
    stay. Raises TableProblem where `before` is not a table of domains.
    """
    columns, old = read_domains(before)
    columns = (*_COLUMNS, *(title for title in columns if title not in _COLUMNS))
    known = {_place(row.cells): row.cells for row in old}
    rows = {place: cells for place, cells in known.items() if place[:2] in unread}
    taken = {cells[NAME] for cells in known.values()}
    for domain in sorted(found):
        kept = known.get(domain.place)
        if kept is None:
            name = free_name(domain, taken)
            taken.add(name)
            kept = {NAME: name}
        account, region, domain_id = domain.place
        rows[domain.place] = {**kept, "id": domain_id, "region": region, "account": account}
    text = _written(columns, [rows[place] for place in sorted(rows)])
    return DomainsTable(text, len(rows), tuple(sorted(rows.keys() - known)), tuple(sorted(known.keys() - rows)))


def _place(cells: dict[str, str]) -> Place:
    return cells.get("account", ""), cells.get("region", ""), cells["id"]


def free_name(domain: FoundDomain, taken: Collection[str]) -> str:
    """Return the fleet's name for a domain: SageMaker's where it is free, else with the account, else the id."""
    plain = _NOT_IN_LABELS.sub("-", domain.name).strip("-")
    longer = f"{plain}-{domain.account}"
    names = (name for name in (plain, longer) if plain and len(name) <= LABEL_MAX_CHARS and name not in taken)
    return next(names, domain.domain_id)


def _written(columns: Sequence[str], rows: Iterable[dict[str, str]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([row.get(title, "") for title in columns] for row in rows)
    return out.getvalue()
