"""Domains that are not written one by one: each line of a table fills a template and becomes a domain.

A problem of the template is told once, at its own line, and one of a row at the row's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from engine.config.fleet.domains_file import NAME, OWN_COLUMNS, DomainRow, read_domains
from engine.config.fleet.fleet_models import DomainTable
from engine.config.fleet.people_file import TableProblem
from engine.config.fleet.tables import TableReader, label_fault
from engine.config.fleet.templates import OneKeyTwice, filled, words_of
from engine.config.fleet.written import DomainDef, DomainsFrom, FleetDef, TemplateDef
from engine.config.reading.files import InputFile
from engine.config.reading.model_errors import check_table
from engine.config.reading.problems import Code, Place, Problems, nearest, show_value
from engine.config.reading.toml_document import decode
from engine.config.reading.toml_positions import Positions
from engine.core.diagnostics import Diagnostic


@dataclass(slots=True)
class DomainMaker:
    """Makes the domains of `[[domains_from]]`. `read` returns a file beside a place, or None where it has noted why.

    `prune_refusals` say why nothing may be pruned: an empty table is more often cut off than meant.
    """

    fleet: FleetDef
    reader: TableReader
    read: Callable[[str, Place], InputFile | None]
    is_complete: bool = True  # False once a table or a row could not be read
    prune_refusals: list[str] = field(default_factory=list)
    _told: set[Diagnostic] = field(default_factory=set)

    @property
    def _problems(self) -> Problems:
        return self.reader.problems

    def make_all(self) -> None:
        """Add every domain to the fleet."""
        for asked in self.fleet.domains_from:
            template = self._template(asked)
            item = self.read(asked.csv, asked.place.at("csv"))
            found = None if item is None else self._rows(item)
            if template is None or item is None or found is None:
                self.is_complete = False
                continue
            columns, rows = found
            if not rows:
                self._note_empty(asked, item)
            elif self._knows_all_words(template, columns, item):
                used = {NAME, *(word for _, word in words_of(template.data))}
                for row in rows:
                    self._add(row, used, template, Place(item.shown, Positions.of_line(row.line)))

    def _template(self, asked: DomainsFrom) -> TemplateDef | None:
        found = self.fleet.templates.get(asked.template)
        if found is None:
            hint = nearest(asked.template, self.fleet.templates) or f"Add a table templates.{asked.template}"
            message = f"no template {show_value(asked.template)} is defined"
            self._problems.error(Code.REFERENCE, asked.place.at("template"), message, hint)
        return found

    def _rows(self, item: InputFile) -> tuple[Sequence[str], Sequence[DomainRow]] | None:
        text = decode(item, self._problems)
        if text is None:
            return None
        try:
            return read_domains(text)
        except TableProblem as problem:
            self._problems.of_file(Code.SYNTAX, item.shown, problem.line, problem.message, problem.hint)
            return None

    def _note_empty(self, asked: DomainsFrom, item: InputFile) -> None:
        message = f"{item.shown} names no domain"
        hint = "Put a line for each domain below the header, or remove this table"
        self._problems.warning(Code.EMPTY, asked.place.at("csv"), message, hint)
        self.prune_refusals.append(f"{asked.place.source}: {message}")

    def _knows_all_words(self, template: TemplateDef, columns: Sequence[str], item: InputFile) -> bool:
        unknown = [(path, word) for path, word in words_of(template.data) if word not in columns]
        for path, word in unknown:
            if self._problems.first_time("word", template.name, path, word, item.shown):
                message = f"{{{word}}} is no column of {item.shown}"
                hint = nearest(word, columns) or "Add the column, or correct the word"
                self._problems.error(Code.REFERENCE, template.place.at(*path), message, hint)
        self.is_complete = self.is_complete and not unknown
        return not unknown

    def _add(self, row: DomainRow, used: set[str], template: TemplateDef, place: Place) -> None:
        """Add the domain of one row, or note what is wrong with it."""
        own = {key: row.cells[key] for key in OWN_COLUMNS if key in row.cells}
        if not self._is_sound(row, used, own, place):
            self.is_complete = False
            return
        try:
            data = filled(template.data, row.cells)
        except OneKeyTwice as twice:
            message = f"two keys of this template become {show_value(str(twice))} with {place.source}"
            self._problems.error(Code.CONFLICT, template.place, message, "Put what differs in each line into both")
            return
        known = self.fleet.domains.setdefault(row.cells[NAME], DomainDef(row.cells[NAME], place))
        self._read(known, {**data, **own}, template.place)
        known.place = known.own_place = place
        if "account" not in known.own:
            message = "this line names no account, and its template does not either"
            hint = "Add a column account: with a role for each line a wrong one is soon written"
            self._problems.error(Code.VALUE, place, message, hint)

    def _is_sound(self, row: DomainRow, used: set[str], own: dict[str, str], place: Place) -> bool:
        empty = sorted(title for title in used.union(own) if not row.cells[title])
        if empty:
            hint = "Fill it in: the domain or its template needs it"
            self._problems.error(Code.VALUE, place, f"{' and '.join(empty)} is empty in this line", hint)
            return False
        name = row.cells[NAME]
        fault = label_fault(name)
        if fault is not None:
            context = fault.context or {}
            self._problems.error(Code.NAME, place, context["message"], context["hint"])
            return False
        there = self.fleet.domains.get(name)
        if there is not None and there.own_place is not None:
            message = f"domain {name} is already in {there.own_place.source}"
            self._problems.error(Code.CONFLICT, place, message, "Give each domain one name, and one line")
            return False
        return check_table(DomainTable, own, place, self._problems) is not None

    def _read(self, known: DomainDef, data: dict[str, object], place: Place) -> None:
        """Read a filled template; what is wrong with it is told once, however many rows fill it."""
        reader = TableReader(Problems(), self.reader.read_members)
        reader.domain(known, data, place)
        self.reader.strays += reader.strays
        for problem in (*reader.problems.errors, *reader.problems.warnings):
            if problem not in self._told:
                self._told.add(problem)
                self._problems.take(problem)
