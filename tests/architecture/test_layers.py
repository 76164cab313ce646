"""Who may import whom: the contracts of .importlinter hold, and they bite."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.architecture.files import ROOT

if TYPE_CHECKING:
    from subprocess import CompletedProcess

LINT_MAX_SECONDS = 300


def _lint(config: Path) -> CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--config", str(config), "--no-cache"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LINT_MAX_SECONDS, check=False)


def test_every_contract_is_kept() -> None:
    ran = _lint(ROOT / ".importlinter")
    assert ran.returncode == 0, ran.stdout
    assert " 0 broken" in ran.stdout


def test_a_forbidden_module_of_the_standard_library_would_be_found(tmp_path: Path) -> None:
    config = (ROOT / ".importlinter").read_text(encoding="utf-8").replace("    uuid\n", "    dataclasses\n")
    (tmp_path / "config").write_text(config, encoding="utf-8")
    ran = _lint(tmp_path / "config")
    assert ran.returncode == 1
    assert "engine.core is not allowed to import dataclasses" in ran.stdout


def test_every_contract_is_named_by_a_sentence() -> None:
    lines = (ROOT / ".importlinter").read_text(encoding="utf-8").splitlines()
    names = [line.removeprefix("name = ") for line in lines if line.startswith("name = ")]
    assert len(names) == sum(line.startswith("[importlinter:contract:") for line in lines) > 5
    assert all(name.endswith(".") and len(name.split()) > 4 for name in names)
