"""Command blocks in the documents run.

A ```console block is marked by the comment before it: `<!-- run -->` (every `$ command` ends 0), `<!-- run exit=2 -->`
(the last one ends so), or `<!-- not run: why -->`. A block that shows output is compared line by line when the mark
says `output`; `...` in a line stands for anything, and a line that is `...` for any lines.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.architecture.files import ROOT, name_of

BLOCK = re.compile(r"(?:<!-- (?P<mark>[^\n]*?) -->\n)?```console\n(?P<body>.*?)```", re.DOTALL)
COMMAND_MAX_SECONDS = 180


@dataclass(frozen=True)
class Block:
    """One block of commands, and how it is marked."""

    document: str
    number: int
    mark: str
    body: str

    @property
    def runs(self) -> bool:
        return self.mark.split(" ")[0] == "run"

    @property
    def exit_code(self) -> int:
        found = re.search(r"\bexit=(\d+)", self.mark)
        return int(found[1]) if found else 0

    @property
    def steps(self) -> list[tuple[str, list[str]]]:
        """Return each command with the output that is shown below it. A trailing backslash goes on in the next line."""
        steps: list[tuple[str, list[str]]] = []
        for line in self.body.replace("\\\n", "").splitlines():
            if line.startswith("$ "):
                steps.append((line.removeprefix("$ "), []))
            elif steps:
                steps[-1][1].append(line)
        return steps


def blocks() -> list[Block]:
    documents = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [
        Block(name_of(path), number, (found["mark"] or "").strip(), found["body"])
        for path in documents
        for number, found in enumerate(BLOCK.finditer(path.read_text(encoding="utf-8")), 1)
    ]


def matches(shown: list[str], printed: list[str]) -> bool:
    """Whether what was printed is what is shown."""
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "..." else re.escape(line.rstrip()).replace(r"\.\.\.", ".*") + r"[ ]*\n"
        for line in shown
    )
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in printed)) is not None


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """Return what a clone would hold: every file that git tracks, as it is now, and nothing else."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def _environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "APPFLEET_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
    return {**kept, "PATH": path, "HOME": str(home), "NO_COLOR": "1", "AWS_EC2_METADATA_DISABLED": "true"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "block", [block for block in blocks() if block.runs], ids=lambda block: f"{block.document}:{block.number}"
)
def test_the_commands_of_a_document_run(block: Block, workplace: Path) -> None:
    steps = block.steps
    assert steps
    for index, (command, shown) in enumerate(steps):
        ran = subprocess.run(
            ["/bin/bash", "-c", command],
            cwd=workplace, env=_environment(workplace), capture_output=True, text=True, check=False,
            timeout=COMMAND_MAX_SECONDS,
        )  # fmt: skip
        expected = block.exit_code if index == len(steps) - 1 else 0
        assert ran.returncode == expected, f"$ {command}\n{ran.stdout}{ran.stderr}"
        if "output" in block.mark:
            assert matches(shown, ran.stdout.splitlines()), f"$ {command}\n{ran.stdout}"


def test_every_command_block_runs_or_says_why_not() -> None:
    unmarked = [
        f"{block.document}:{block.number}"
        for block in blocks()
        if not block.runs and not block.mark.startswith("not run: ")
    ]
    assert unmarked == []


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        (["a", "b"], ["a", "b"], True),
        (["a"], ["a", "b"], False),
        (["Run ... of 3"], ["Run 2026-x of 3"], True),
        (["Run ... of 3"], ["Run 2026-x of 4"], False),
        (["a", "...", "z"], ["a", "b", "c", "z"], True),
        (["a", "...", "z"], ["a", "z"], True),
        (["a.b"], ["axb"], False),
        ([], [], True),
    ],
)
def test_shown_output_is_compared_with_ellipses(shown: list[str], printed: list[str], same: bool) -> None:
    assert matches(shown, printed) is same


def test_a_block_knows_its_commands_their_output_and_its_mark() -> None:
    text = "<!-- run exit=2 output -->\n```console\n$ one \\\n  two\nshown\n$ three\n```\n"
    found = BLOCK.search(text)
    assert found is not None
    block = Block("x.md", 1, found["mark"], found["body"])
    assert block.runs
    assert block.exit_code == 2
    assert block.steps == [("one   two", ["shown"]), ("three", [])]
