"""One run over two accounts and two regions, in a simulated world."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from engine.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

FLEET = """schema = 1
name = "two"
[domains.a]
id = "d-aaaa"
region = "eu-west-1"
account = "111122223333"
[domains.b]
id = "d-bbbb"
region = "us-east-1"
account = "444455556666"
[domains.a.users.alice]
apps = [{ type = "Canvas" }]
[domains.b.users.bob]
apps = [{ type = "Canvas" }]
"""


def test_each_domain_is_called_in_its_own_account(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "fleet.toml").write_text(FLEET)
    base = ["-f", str(tmp_path / "fleet.toml")]
    assert main([*base, "plan", "--simulate", "--format", "json"]) == 0
    lanes = json.loads(capsys.readouterr().out)["lanes"]
    assert [(lane["account"], lane["region"]) for lane in lanes] == [
        ("111122223333", "eu-west-1"),
        ("444455556666", "us-east-1"),
    ]
    assert main([*base, "apply", "--yes", "--no-wait", "--simulate", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["summary"] == {"created": 2}
