"""Long plans folded by shape: apps that are made alike are told in one entry, with their count and a few names.

What is deleted or replaced is never folded: a reader must see each app that he may lose.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from engine.core.change import Action, Change
from engine.core.text import clean, listed
from engine.render.words import instance, made_with, on_plan, why

ALIKE_MIN_COUNT: Final = 4


class Alike(NamedTuple):
    """Changes of one group that differ in nothing but whose app it is."""

    changes: tuple[Change, ...]

    @property
    def text(self) -> str:
        """Return what they have in common: `20 x JupyterLab/default  ml.t3.medium  not there`."""
        first = self.changes[0]
        app = f"{clean(first.key.app_type)}/{clean(first.key.app_name)}"
        parts = (f"{len(self.changes):,} x {app}", *_said(first))
        return "  ".join(part for part in parts if part)

    def owners(self, width: int) -> str:
        """Name the owners on one line of `width` characters: as many as fit, at least one, and how many more."""
        kind = self.changes[0].key.owner_kind
        names = [change.key.owner for change in self.changes]
        fitting = 1
        while fitting < len(names) and len(_listed(kind, names, fitting + 1)) <= width:
            fitting += 1
        return _listed(kind, names, fitting)


def _said(change: Change) -> tuple[str, str, str, str]:
    return instance(change), why(change), on_plan(change), made_with(change)


def _listed(kind: str, names: list[str], shown: int) -> str:
    return f"{kind}s {listed(names, shown)}"


def by_shape(changes: Iterable[Change]) -> list[str]:
    """Return what is made, in one line per shape, wherever it is: those with most apps first."""
    shapes: dict[object, list[Change]] = {}
    for change in changes:
        shapes.setdefault((*change.key[3:], *_said(change)), []).append(change)
    return [Alike(tuple(members)).text for members in sorted(shapes.values(), key=len, reverse=True)]


def alike(changes: Iterable[Change]) -> list[Change | Alike]:
    """Fold the creates of one group that have the same shape; the order is that of the first of each shape."""
    shapes: dict[object, list[Change]] = {}
    for change in changes:
        key = change.key
        shape: object = key
        if change.action in (Action.CREATE, Action.ADOPT):
            shape = (change.action, key.owner_kind, *key[3:], *_said(change))
        shapes.setdefault(shape, []).append(change)
    folded: list[Change | Alike] = []
    for members in shapes.values():
        if len(members) >= ALIKE_MIN_COUNT:
            folded.append(Alike(tuple(members)))
        else:
            folded += members
    return folded
