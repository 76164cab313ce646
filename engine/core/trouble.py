"""Why something did not end well: a stable code, what, and what to do. The same fault has the same code everywhere.

Not here: what becomes of an app (`outcome`), or how troubles that are alike are put together (`grouping`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from engine.core.errors import AppfleetError
from engine.core.text import clean, count_of


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why something did not end well: a stable code (the service's, or one of ours), what, and what to do.

    `domain` is the name of the one domain that it is about, where it is about one as a whole.
    """

    code: str
    message: str
    hint: str = ""
    domain: str = field(default="", compare=False)

    def to_json(self) -> dict[str, str]:
        """Return the three texts by name."""
        return {"code": self.code, "message": self.message, "hint": self.hint}


def domain_trouble(name: str, error: AppfleetError) -> Trouble:
    """Return why a domain could not be used or listed."""
    return Trouble(error.told_code, of_domain(name, error.message), error.hint, name)


def domain_troubles(errors: Mapping[str, AppfleetError]) -> tuple[Trouble, ...]:
    """Return why domains could not be used or listed, in the order of their names."""
    return tuple(domain_trouble(name, error) for name, error in sorted(errors.items()))


def names_domain(name: str, text: str) -> bool:
    """Whether `text` says which domain it is about."""
    return re.search(rf"\bdomain {re.escape(name)}(?![\w-])", text) is not None


def of_domain(name: str, text: str) -> str:
    """Return `text` with the domain that it is about, once."""
    return text if names_domain(name, text) else clean(f"domain {name}: {text}")


def first_of(troubles: Sequence[Trouble]) -> Trouble:
    """Return the first of troubles, and how many more there are."""
    first, *others = troubles
    more = f" (and {count_of(len(others), 'more error')})" if others else ""
    return replace(first, message=first.message + more)
