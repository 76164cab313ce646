"""Command blocks in the documents run.

A ```console block is marked by the comment before it: `<!-- run -->` (every `$ command` ends 0), `<!-- run exit=2 -->`
(the last one ends so), or `<!-- not run: why -->`. A block that shows output is compared line by line when the mark
says `output`; `...` in a line stands for anything, and a line that is `...` for any lines. Blocks that say `account`
are run one after the other, elsewhere.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import warm
from tests.architecture.files import ROOT, name_of, tracked

if TYPE_CHECKING:
    from collections.abc import Mapping

BLOCK = re.compile(r"(?:<!-- (?P<mark>[^\n]*?) -->\n)?```console\n(?P<body>.*?)```", re.DOTALL)
PLAIN = re.compile(r"[\w ./=,:-]+")  # nothing that a shell reads otherwise than as a word
BY_SHELL = {"validate"}  # which is quick: so that a shell finds and starts what is installed
CODE = ("appfleet/", "benchmarks/", "engine/", "tests/", "tools/")  # what runs is what is installed
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
    def in_account(self) -> bool:
        """Whether it is a step of the way through one account, which `tests.recipes.test_first_account` goes."""
        return self.runs and "account" in self.mark.split(" ")

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
    """Return what a clone would hold but for code: every file that git tracks, as it is now, and nothing else."""
    for name in tracked():
        if not name.startswith(CODE):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def environment_of(home: Path) -> dict[str, str]:
    """Return the variables of a command, in which nothing of this machine's configuration is."""
    kept = {name: os.environ[name] for name in ("LANG", "LC_ALL", "TMPDIR") if name in os.environ}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**kept, "PATH": path, "HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true"}


def started(command: str, workplace: Path, more: Mapping[str, str], *, merged: bool = False) -> subprocess.Popen[str]:
    """Start a command by a shell, or without one where that would only have to start it.

    `more` are variables beside the usual ones; `merged`: what it prints to standard error is in its output.
    """
    environment = {**environment_of(workplace), **more}
    words = shlex.split(command)
    pipe = subprocess.PIPE
    error = subprocess.STDOUT if merged else pipe
    if words[0] == "appfleet" and PLAIN.fullmatch(command) and words[1] not in BY_SHELL:
        return warm.start(words[1:], cwd=workplace, env=environment, stderr=error)
    return subprocess.Popen(
        ["/bin/bash", "-c", command],
        cwd=workplace, env=environment, text=True, stdin=subprocess.DEVNULL, stdout=pipe, stderr=error,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "block",
    [block for block in blocks() if block.runs and not block.in_account],
    ids=lambda block: f"{block.document}:{block.number}",
)
def test_the_commands_of_a_document_run(block: Block, workplace: Path) -> None:
    steps = block.steps
    assert steps
    for index, (command, shown) in enumerate(steps):
        with started(command, workplace, {}) as process:
            try:
                out, err = process.communicate(timeout=COMMAND_MAX_SECONDS)
            finally:
                process.kill()
        expected = block.exit_code if index == len(steps) - 1 else 0
        assert process.returncode == expected, f"$ {command}\n{out}{err}"
        if "output" in block.mark:
            assert matches(shown, out.splitlines()), f"$ {command}\n{out}"


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
