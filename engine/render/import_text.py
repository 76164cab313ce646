"""What `import` says beside the file: how much there is, what was left out, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.core.text import clean, count_of, listed


def import_text(counts: Mapping[str, int], left_out: Mapping[str, Sequence[str]], bare_owners: int) -> str:
    """Return the summary; `counts` by the word for one, `left_out` why -> what."""
    imported = ", ".join(count_of(count, word) for word, count in counts.items())
    lines = [f"Imported {imported}. Checked: planning this file shows no changes."]
    if bare_owners:
        bare = count_of(bare_owners, "user profile or space", "user profiles and spaces")
        lines.append(f"Not in the file: {bare} without an app")
    if left_out:
        lines.append("Left out:")
    for why, names in left_out.items():
        lines.append(f"  {count_of(len(names), 'app')}: {clean(why)}: {listed(names)}")
    return "\n".join(lines)
