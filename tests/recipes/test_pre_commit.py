"""The hook of pre-commit: its entry as pre-commit runs it, in a repository with a fleet."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING, Any

import yaml

from tests import warm
from tests.architecture.files import ROOT
from tests.recipes.platforms import RECIPES, RUN_MAX_SECONDS, write_fleet

if TYPE_CHECKING:
    from pathlib import Path


def hook() -> dict[str, Any]:
    (found,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    return dict(found)


def used() -> dict[str, Any]:
    """Return the repository that the recipe names, with its one hook."""
    (found,) = yaml.safe_load((RECIPES / "pre-commit-config.yaml").read_text())["repos"]
    return dict(found)


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run the entry with its arguments at the top of a repository: no file names follow, as the hook wants it."""
    program, *words = shlex.split(hook()["entry"])
    assert program == "appfleet"
    with warm.start([*words, *arguments], cwd=folder, env={"PATH": os.environ["PATH"], "HOME": str(folder)}) as process:
        out, err = process.communicate(timeout=RUN_MAX_SECONDS)
    return process.returncode, out + err


def test_the_hook_passes_a_good_fleet_and_stops_a_broken_one(tmp_path: Path) -> None:
    write_fleet(tmp_path)
    (given,) = used()["hooks"]
    assert run(tmp_path, *given["args"])[0] == 0
    with (tmp_path / "teams" / "vision.csv").open("a") as file:
        file.write("ana,extra\n")
    code, said = run(tmp_path, *given["args"])
    assert code == 64
    assert "vision.csv:4" in said
    assert run(tmp_path, "-f", "teams/vision.toml")[0] == 64  # another file is named by args, before or behind


def test_the_hook_runs_once_for_whatever_a_fleet_is_made_of() -> None:
    assert (hook()["pass_filenames"], hook()["require_serial"], hook()["language"]) == (False, True, "python")
    changed = ["fleet.toml", "teams/vision.toml", "teams/vision.csv", "policies/rules.toml", "README.md", "x.toml.bak"]
    assert [name for name in changed if re.search(hook()["files"], name)] == changed[:4]


def test_the_recipe_names_the_hook_and_one_commit() -> None:
    assert [given["id"] for given in used()["hooks"]] == [hook()["id"]]
    assert re.fullmatch(r"[0-9a-f]{40}", used()["rev"])
