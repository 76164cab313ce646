"""What people read keeps to the words of CONTRIBUTING.md: pages, help, descriptions in schemas, messages and hints."""

from __future__ import annotations

import ast
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from engine.cli.application import COMMANDS
from tests.architecture.files import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Words that read as translated. "stand" alone is left out: a file may stand beside another in a name or in code.
WORDS = re.compile(
    r"\b(?:told|tells|it is (?:said|tried|asked)|stands|mend(?:s|ed)?|(?:could|can|to) be had|goes? on|to make it so"
    r"|held against|laid over|com(?:e|es) to|came to|reckoned|learnt|begun|by itself|of (?:its|their) own|an? line an?"
    r"|asked for|anew|afresh|whoever|all the same|for good|gravest|misspelt|for want of|in vain|of ours|rests on"
    r"|speaks? (?:of|for)|is answered|what is (?:there|wrong|missing|left|done|named|not)|(?:is|are) not there"
    r"|is there (?:already|twice|too)|(?:calls|rows|pages|lines|USD|[0-9]+) an? (?:second|minute|hour|day|month|page)"
    r"|(?<!there )is no (?!longer|more)|the very (?!first|last)[a-z]+|so that is|not any more)\b",
    re.IGNORECASE,
)
# Registers of what went wrong once, in the words of those who found it.
REGISTERS = frozenset({"faults.md"})
FRONT = ("README.md", "ARCHITECTURE.md", "BENCHMARKS.md", "SECURITY.md")
PAGES = [
    *(ROOT / name for name in FRONT),
    *sorted(path for path in (ROOT / "docs").rglob("*.md") if path.name not in REGISTERS),
]


def without_code(text: str) -> str:
    """Return a page without its blocks and spans of code."""
    return re.sub(r"^```.*?^```|`[^`\n]*`", "", text, flags=re.MULTILINE | re.DOTALL)


def found(text: str) -> list[str]:
    return [match[0] for match in WORDS.finditer(" ".join(text.split()))]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_keeps_to_the_words(path: Path) -> None:
    assert found(without_code(path.read_text(encoding="utf-8"))) == []


def test_the_unreleased_changes_keep_to_the_words() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert found(without_code(text.partition("## [Unreleased]")[2].partition("\n## ")[0])) == []


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_keeps_to_the_words(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    from engine.cli.main import main

    main([*([command] if command else []), "--help"])
    assert found(capsys.readouterr().out) == []


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "schemas").glob("*.json")), ids=lambda path: path.name)
def test_descriptions_in_a_schema_keep_to_the_words(path: Path) -> None:
    assert found("\n".join(descriptions(json.loads(path.read_text(encoding="utf-8"))))) == []


def descriptions(value: Any) -> Iterator[str]:
    """Yield every description in a schema."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "description" and isinstance(inner, str):
                yield inner
            else:
                yield from descriptions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from descriptions(inner)


def test_messages_and_hints_keep_to_the_words() -> None:
    """A text of several words in the code, but for docstrings and what a parser of somebody else's words looks for."""
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in sorted((ROOT / "engine").rglob("*.py"))
        for line, text in texts(ast.parse(path.read_text(encoding="utf-8")))
        if " " in text and found(text)
    ]
    assert wrong == []


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each constant that is not a docstring; a formatted one without its values."""
    silent = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent:
            yield node.lineno, node.value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It is told, and goes on.", ["told", "goes on"]),
        ("one line per team, which is reported", []),
        ("a line a team on a line of its own", ["a line a", "of its own"]),
        ("a\nthing comes\nto rest", ["comes to"]),
        ("two calls a second, 100 rows a page", ["calls a second", "rows a page"]),
        ("A plan is no proof of what is there, and there is no other.", ["is no ", "what is there"]),
    ],
)
def test_the_words_are_found(text: str, words: list[str]) -> None:
    assert found(text) == words
