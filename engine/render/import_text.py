"""What `import` says beside the file: how much there is, what was left out, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.text import clean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NAMED_MAX_COUNT: Final = 5


def import_text(counts: Mapping[str, int], left_out: Mapping[str, Sequence[str]], bare_owners: int) -> str:
    """Give the summary; `counts` by the word for one, `left_out` why -> what."""
    imported = ", ".join(counted(count, word) for word, count in counts.items())
    lines = [f"Imported {imported}. Checked: planning this file shows no changes."]
    if bare_owners:
        bare = counted(bare_owners, "user profile or space", "user profiles and spaces")
        lines.append(f"Not in the file: {bare} without an app")
    if left_out:
        lines.append("Left out:")
    for why, names in left_out.items():
        more = len(names) - NAMED_MAX_COUNT
        shown = ", ".join(map(clean, names[:NAMED_MAX_COUNT])) + (f" and {more:,} more" if more > 0 else "")
        lines.append(f"  {counted(len(names), 'app')}: {clean(why)}: {shown}")
    return "\n".join(lines)


def counted(count: int, one: str, many: str = "") -> str:
    """Give `1 app` or `2 apps`."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
