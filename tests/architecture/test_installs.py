"""What the documents install exists: a clone, a wheel, or one commit; never a name that a stranger could register."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

from tests.architecture.files import ROOT, name_of, own_texts

if TYPE_CHECKING:
    from pathlib import Path

INSTALL = re.compile(r"pip(?:3|x)? (?:install|download|wheel)\b[^\n`]*|uv(?:x| tool| pip)[^\n`]*")
OURS = re.compile(r"(?<![\w./@-])appfleet(?:\[[\w,]+\])?(?![\w./-]| @ git\+)(?:[=<>~!]=?[\w.]+)?")
COMMITS = re.compile(r"example-org/appfleet@(\S+)")


def installs() -> list[tuple[str, str]]:
    """Return each line with which a document, a recipe, a message or a script installs something."""
    texts = [path for path in own_texts() if "tests" not in path.parts]
    return [
        (name_of(path), found[0])
        for path in texts
        for found in INSTALL.finditer(path.read_text(encoding="utf-8").replace("\\\n", " "))
    ]


def test_nothing_installs_appfleet_by_its_bare_name() -> None:
    assert len(installs()) > 10
    assert [(name, line) for name, line in installs() if OURS.search(line)] == []


def test_a_bare_name_would_be_found() -> None:
    for line in ("pip install appfleet", "pip install 'appfleet[otel]'", "pip install -U appfleet==0.1.0"):
        assert OURS.search(line), line
    for line in (
        'pip install "appfleet @ git+https://github.com/YOUR-ORG/appfleet.git@COMMIT"',
        "pip install ./appfleet-0.1.0-py3-none-any.whl",
        "/opt/appfleet/bin/pip install .",
    ):
        assert not OURS.search(line), line


def test_the_version_that_documents_name_is_the_one_that_is_built() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    named = re.findall(r"appfleet[-:](\d+\.\d+\.\d+)", "\n".join(path.read_text() for path in documents()))
    assert set(named) == {version}


def documents() -> list[Path]:
    return [ROOT / "README.md", ROOT / "Dockerfile", *sorted((ROOT / "docs" / "recipes").glob("*.*"))]


def test_a_commit_is_named_by_its_whole_hash() -> None:
    found = [commit for path in documents() for commit in COMMITS.findall(path.read_text())]
    assert found
    assert all(re.fullmatch(r"[0-9a-f]{40}", commit) for commit in found)
