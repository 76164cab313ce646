"""Domains that are not written one by one: each line of a table fills a template and becomes a domain.

A problem of the template is told once, at its own line, and one of a row at the row's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from engine.config.fleet.domains_file import FIRST_LINE, NAME, OWN_COLUMNS, DomainRow, read_domains
from engine.config.fleet.fleet_models import DomainTable
from engine.config.fleet.people_file import TableProblem
from engine.config.fleet.tables import TableReader, label_fault
from engine.config.fleet.templates import OneKeyTwice, filled, filled_path, words_of
from engine.config.fleet.written import DomainDef, DomainsFrom, FleetDef, TemplateDef, entries_of
from engine.config.reading.files import InputFile
from engine.config.reading.model_errors import check_table
from engine.config.reading.problems import Code, Place, Problems, all_of, nearest, show_path, show_value
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
    table_rows: dict[str, int] = field(default_factory=dict)  # how many rows each table has
    _told: set[Diagnostic] = field(default_factory=set)
    _filled: set[str] = field(default_factory=set)  # names of templates that a row was for

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
                self._note_empty(asked, columns, item)
            elif self._knows_all_words(template, columns, item) and self._sets_no_column(template, columns, item):
                self._filled.add(template.name)
                used = {NAME, *(word for _, word in words_of(template.data))}
                for row in rows:
                    self._add(row, used, template, Place(item.shown, Positions.of_line(row.line)))
        for template in self.fleet.templates.values():
            if template.name not in self._filled and self.is_complete:
                self._check_unused(template)

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
            found = read_domains(text)
        except TableProblem as problem:
            self._problems.of_file(Code.SYNTAX, item.shown, problem.line, problem.message, problem.hint)
            return None
        self.table_rows[item.shown] = len(found[1])
        return found

    def _note_empty(self, asked: DomainsFrom, columns: Sequence[str], item: InputFile) -> None:
        message = f"{item.shown} names no domain" if columns else f"{item.shown} is empty"
        first = "Add" if columns else f"Add a first line that names the columns ({FIRST_LINE}), then"
        hint = f"{first} one line per domain, or remove this table"
        self._problems.warning(Code.EMPTY, asked.place.at("csv"), message, hint)
        self.prune_refusals.append(f"{asked.place.source}: {message}")

    def _knows_all_words(self, template: TemplateDef, columns: Sequence[str], item: InputFile) -> bool:
        unknown = [(path, word) for path, word in words_of(template.data) if word not in columns]
        for path, word in unknown:
            if self._problems.first_time("word", template.name, path, word, item.shown):
                message = f"{{{word}}} is not a column of {item.shown}"
                hint = nearest(word, columns) or "Add the column, or correct the word"
                self._problems.error(Code.REFERENCE, template.place.at(*path), message, hint)
        self.is_complete = self.is_complete and not unknown
        return not unknown

    def _sets_no_column(self, template: TemplateDef, columns: Sequence[str], item: InputFile) -> bool:
        """Refuse a key of the domain itself that the template sets and the table has a column for: one would lose."""
        twice = [key for key in OWN_COLUMNS if key in columns and template.data.get(key, f"{{{key}}}") != f"{{{key}}}"]
        for key in twice:
            if self._problems.first_time("column", template.name, key, item.shown):
                message = f"{key} is set here, and {item.shown}:1 has a column {key}"
                hint = f"Remove one of the two, or write {key} = {show_value(f'{{{key}}}')}"
                self._problems.error(Code.CONFLICT, template.place.at(key), message, hint)
        self.is_complete = self.is_complete and not twice
        return not twice

    def _check_unused(self, template: TemplateDef) -> None:
        """Check what a template without a row says, except where only a row could tell what it becomes."""
        row = {word: word.replace("_", "-") for _, word in words_of(template.data)}
        try:
            data = filled(template.data, row)
        except OneKeyTwice:
            return
        open_places = {
            show_path((*template.place.path, *filled_path(path, row))) for path, _ in words_of(template.data)
        }
        reader = TableReader(Problems(), lambda *_: {})
        domain = DomainDef(template.name, template.place)
        reader.domain(domain, data, template.place)
        self.reader.strays += (*reader.strays, *entries_of((domain,)))
        for problem in (*reader.problems.errors, *reader.problems.warnings):
            if problem.key_path not in open_places:
                self._problems.take(problem)

    def _add(self, row: DomainRow, used: set[str], template: TemplateDef, place: Place) -> None:
        """Add the domain of one row, or note what is wrong with it."""
        own = {key: row.cells[key] for key in OWN_COLUMNS if key in row.cells}
        if not self._is_sound(row, used, own, place):
            self.is_complete = False
            return
        try:
            data = filled(template.data, row.cells)
        except OneKeyTwice as twice:
            message = f"two keys of this template expand to the same name, {show_value(str(twice))}, for {place.source}"
            hint = "Use a column in both keys whose values differ in this line"
            self._problems.error(Code.CONFLICT, template.place, message, hint)
            return
        known = self.fleet.domains.setdefault(row.cells[NAME], DomainDef(row.cells[NAME], place))
        self._read(known, {**data, **own}, template.place)
        known.place = known.own_place = place
        if "account" not in known.own:
            message = "this line names no account, and its template does not either"
            hint = "Add a column account: a typo in a role is easy to make, and appfleet then skips only that domain"
            self._problems.error(Code.VALUE, place, message, hint)

    def _is_sound(self, row: DomainRow, used: set[str], own: dict[str, str], place: Place) -> bool:
        if not any(row.cells.values()):
            self._problems.error(Code.VALUE, place, "this line is empty", "Fill it in, or remove it")
            return False
        empty = sorted(title for title in used.union(own) if not row.cells[title])
        if empty:
            hint = "Fill it in: the domain or its template needs it"
            self._problems.error(
                Code.VALUE, place, f"{all_of(empty)} {'is' if len(empty) == 1 else 'are'} empty in this line", hint
            )
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
