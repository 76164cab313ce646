"""The links of every page, and the pages as a site: it builds strictly and loads nothing from elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from typing import TYPE_CHECKING, Final

import pytest

from tests.architecture.files import ROOT, name_of, tracked

if TYPE_CHECKING:
    from pathlib import Path

BUILD_MAX_SECONDS: Final = 180
PAGES: Final = [ROOT / name for name in tracked() if name.endswith(".md") and not name.startswith("tests/fuzz/")]
LINK: Final = re.compile(r"(?<!\\)\[[^\]\n]*\]\(([^)\s]+)\)")
HEADING: Final = re.compile(r"^#{1,6} +(.*?) *$", re.MULTILINE)
LOADED: Final = re.compile(r"""<(?:link|script|img|iframe|source)\b[^>]*?(?:href|src)=["']?((?:https?:)?//[^"'>\s]+)""")


@cache
def _without_code(path: Path) -> str:
    return re.sub(r"^```.*?^```|`[^`\n]*`", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


@cache
def anchors(path: Path) -> frozenset[str]:
    """Return what a page's headings can be linked by."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = HEADING.findall(text)
    return frozenset(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings)


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_every_link_of_a_page_names_something_that_is_there(path: Path) -> None:
    wrong = []
    for link in LINK.findall(_without_code(path)):
        name, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        target = (path.parent / name).resolve() if name else path
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            wrong.append(link)
    assert wrong == []


def test_the_site_builds_strictly_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    """Strict: each page is in the navigation, and each link and anchor is right."""
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=BUILD_MAX_SECONDS,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > 25
    assert {found for page in pages for found in LOADED.findall(page.read_text(encoding="utf-8"))} == set()
    styles = "".join(path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.css"))
    assert re.findall(r"@import[^;]*//[^;]*|url\(['\"]?(?:https?:)?//[^)]*\)", styles) == []


def test_the_first_page_leads_to_every_page() -> None:
    first = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert {name for name in pages if f"({name})" not in first} == set()


def test_what_is_loaded_from_elsewhere_would_be_found() -> None:
    assert LOADED.findall('<script src="https://cdn.example/x.js"></script><link rel=x href=//fonts.example/y>')
    assert not LOADED.findall('<a href="https://cel.dev">CEL</a><script src="js/base.js"></script>')
