"""What `import` says beside the file: how much there is, what was left out, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from engine.core.text import clean, count_of, listed

_OWNERS: Final = ("user profile or space", "user profiles and spaces")


def import_text(
    counts: Mapping[str, int],
    left_out: Mapping[str, Sequence[str]],
    bare_owners: int,
    set_owners: int = 0,
    owners_left_out: Mapping[str, Sequence[str]] = MappingProxyType({}),
    resources_left_out: Mapping[str, Sequence[str]] = MappingProxyType({}),
    other_types: Mapping[str, int] = MappingProxyType({}),
    source: str = "",
    unmarked: int = 0,
) -> str:
    """Return the summary; `counts` by the word for one, what is left out of apps, owners and a state why -> what.

    `other_types` counts the resources of a state that are of each other type.
    `set_owners` have settings in the file, and `bare_owners` are not in it. `source` is what the file was made from
    where nobody looked at AWS, and `unmarked` counts its resources that do not say what of them is sensitive.
    """
    imported = ", ".join(count_of(count, word) for word, count in counts.items())
    settings = f", settings of {count_of(set_owners, *_OWNERS)}" if set_owners else ""
    shown = f" as long as AWS is as {source} says" if source else ""
    lines = [f"Imported {imported}{settings}. Checked: planning this file shows no changes{shown}."]
    if unmarked:
        lines.append(
            f"{count_of(unmarked, 'resource')} of {source} came without sensitive_values, so nothing was taken out: "
            "check the file for secrets before you share it"
        )
    if bare_owners:
        lines.append(f"Not in the file: {count_of(bare_owners, *_OWNERS)} without an app or a setting")
    if left_out or owners_left_out or resources_left_out or other_types:
        lines.append("Left out:")
    for words, named in ((("app",), left_out), (_OWNERS, owners_left_out), (("resource",), resources_left_out)):
        for why, names in named.items():
            lines.append(f"  {count_of(len(names), *words)}: {clean(why)}: {listed(names)}")
    if other_types:
        most = sorted(other_types.items(), key=lambda item: (-item[1], item[0]))
        types = listed([f"{kind} ({count:,})" for kind, count in most])
        lines.append(f"  {count_of(sum(other_types.values()), 'resource')} of other types: {types}")
    return "\n".join(lines)
