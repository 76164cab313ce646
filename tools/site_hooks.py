"""A hook of mkdocs: a link that leaves docs/ becomes its text, since no address of the repository is known.

mkdocs.yml names this file. tests/architecture/test_site.py checks that what such a link names is there.
"""

from __future__ import annotations

import re
from typing import Any, Final

_LINK: Final = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)#\s]*)(?:#[^)\s]*)?\)")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Return a page without its links to files outside of docs/."""
    depth = page.file.src_uri.count("/")

    def text_or_link(found: re.Match[str]) -> str:
        steps = found[2].split("/")
        return found[1] if steps[: depth + 1] == [".."] * (depth + 1) else found[0]

    return _LINK.sub(text_or_link, markdown)
