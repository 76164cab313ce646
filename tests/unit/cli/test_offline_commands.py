"""validate, schema and simulate, with the real engine behind them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from engine.cli import application, call, output
from engine.cli.main import main
from tests.e2e.harness import line_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.conftest import Ran

    Run = Callable[..., Ran]

FLEET = """
schema = 1
name = "small"
[domains.research]
id = "d-abcd1234efgh"
region = "eu-west-1"
[apps.canvas]
type = "Canvas"
[domains.research.users.alice]
apps = ["canvas"]
"""
DENYING_POLICY = """
[[rule]]
id = "no-canvas"
description = "No Canvas"
enforcement = "mandatory"
match = 'app_type == "Canvas"'
check = "false"
message = "Canvas is not allowed"
"""
SERVE_MAX_SECONDS = 180


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.toml"
    path.write_text(FLEET)
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "execution.toml").write_text("[execution]\ncreate_rate = 5.0\n")
    return path


def test_a_good_fleet_is_one_line(run: Run, fleet: Path) -> None:
    ran = run("validate", "-f", fleet.name)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "fleet.toml: 1 app, 1 user, 0 spaces, 1 domain; 1 policy file; no problems.\n"


def test_warnings_go_to_standard_error_and_are_counted(run: Run, fleet: Path) -> None:
    fleet.write_text('include = ["teams/*.toml"]\n' + FLEET)
    ran = run("validate")
    assert ran.code == 0
    assert "warning:" in ran.err
    assert ran.out.endswith("1 warning.\n")


def test_a_wrong_fleet_is_refused_with_every_problem_and_64(run: Run, fleet: Path) -> None:
    fleet.write_text(FLEET.replace("type =", "tpye =").replace("region", "regoin"))
    ran = run("validate")
    assert (ran.code, ran.out) == (64, "")
    assert ran.err.count("fleet.toml:") >= 2
    assert "problems found; nothing was called" in ran.err.splitlines()[-1]


def test_a_fleet_that_a_mandatory_rule_denies_ends_4_with_the_finding(run: Run, fleet: Path) -> None:
    (fleet.parent / "policies" / "rules.toml").write_text(DENYING_POLICY)
    ran = run("validate")
    assert ran.code == 4
    assert "mandatory research/user/alice/Canvas/default: Canvas is not allowed" in ran.out


def test_a_verdict_that_cannot_be_written_is_no_success(run: Run, fleet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fleet.exists()
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdout", full)
        assert run("validate").code == 1


@pytest.mark.parametrize("kind", ["fleet", "included", "policy"])
def test_a_schema_is_json_schema(run: Run, kind: str) -> None:
    ran = run("schema", kind)
    assert ran.code == 0
    assert json.loads(ran.out)["type"] == "object"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_simulate_serves_until_it_is_stopped(fleet: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "engine", "simulate", "--for-fleet", "-f", str(fleet)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            first = line_of(process)
            environment = "".join(line_of(process) for _ in range(2))
        finally:
            process.send_signal(number)
        assert process.wait(SERVE_MAX_SECONDS) == 0
    assert first.startswith("Simulated SageMaker on http://127.0.0.1:")
    url = first.split()[3].rstrip(".")
    assert f"export AWS_ENDPOINT_URL={url}\n" in environment
    # No word of ours: what is set as a secret would be taken out of every command that has it.
    assert "export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test " in environment
    assert "AWS_DEFAULT_REGION=eu-west-1" in environment


def test_a_port_that_is_taken_is_a_wrong_flag_and_no_bug(run: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ran = run("simulate", "--port", str(port))
    assert ran.code == 64
    assert f"--port {port}: the simulator cannot listen on 127.0.0.1:{port}: Address already in use" in ran.err
    assert "Choose another port" in ran.err


def _serve(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, Any]:
    """Run `simulate` in this process with a server that is stopped at once; give its exit code and its world."""
    served: list[Any] = []

    class Server:
        url = "http://127.0.0.1:1"

        async def close(self) -> None:
            return

    async def serve(world: Any, *_: object) -> Server:
        served.append(world)
        os.kill(os.getpid(), signal.SIGINT)
        return Server()

    monkeypatch.setattr("engine.app.serving.serve", serve)
    return main(["simulate", *arguments]), served[0]


def test_simulate_makes_the_world_of_a_fleet(monkeypatch: pytest.MonkeyPatch, fleet: Path) -> None:
    code, world = _serve(monkeypatch, "--for-fleet", "-f", str(fleet))
    assert code == 0
    assert list(world.domains) == ["d-abcd1234efgh"]
    assert list(world.domains["d-abcd1234efgh"].profiles) == ["alice"]


def test_simulate_makes_the_world_of_a_scenario_or_lays_it_over_the_fleet_s(
    monkeypatch: pytest.MonkeyPatch, fleet: Path, tmp_path: Path
) -> None:
    scenario = tmp_path / "scenario.toml"
    scenario.write_text('schema = 1\n[[domain]]\nid = "d-scenario"\nregion = "us-east-1"\nusers = ["bob"]\n')
    _, alone = _serve(monkeypatch, "--scenario", str(scenario))
    _, both = _serve(monkeypatch, "--scenario", str(scenario), "--for-fleet", "-f", str(fleet))
    assert set(alone.domains) == {"d-scenario"}
    assert set(both.domains) == {"d-scenario", "d-abcd1234efgh"}


def test_simulate_without_either_is_an_empty_account(monkeypatch: pytest.MonkeyPatch) -> None:
    code, world = _serve(monkeypatch)
    assert code == 0
    assert not world.domains


def test_every_flag_has_its_environment_variable() -> None:
    import typer

    root = typer.main.get_command(application.build())
    commands = [root, *root.commands.values()]  # type: ignore[attr-defined]
    exempt = {"--help", "--version"}
    checked = 0
    for command in commands:
        for option in command.params:
            long = next((name for name in option.opts if name.startswith("--")), None)
            if long is None or long in exempt:
                continue
            assert option.envvar == call.ENV_PREFIX + long[2:].replace("-", "_").upper()
            assert getattr(option, "help", "")
            checked += 1
    assert checked > 40


def test_words_on_a_screen_that_is_gone_are_of_no_consequence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    output.show("text")
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123
        monkeypatch.setattr(sys, "stderr", full)
        output.show("text")
    output.show("text")
    assert full.closed


def test_a_closed_descriptor_is_opened_before_a_file_could_take_its_number(fleet: Path) -> None:
    script = f"exec {sys.executable} -m engine -f {fleet} validate 1>&- 2>&- 0<&-"
    assert subprocess.run(["/bin/sh", "-c", script], check=False, timeout=SERVE_MAX_SECONDS).returncode == 0


def test_only_what_is_closed_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int] = []

    class System:
        devnull, O_RDWR = "null", 2

        @staticmethod
        def fstat(fd: int) -> None:
            if fd == 1:
                raise OSError

        @staticmethod
        def open(_path: str, _flags: int) -> None:
            opened.append(1)

    monkeypatch.setattr(output, "os", System)
    output.ensure_descriptors()
    assert opened == [1]


def test_a_reader_that_leaves_early_sees_no_complaint(fleet: Path) -> None:
    script = f"{sys.executable} -m engine -f {fleet} schema fleet | head -1"
    ran = subprocess.run(
        ["/bin/sh", "-c", script], check=False, capture_output=True, text=True, timeout=SERVE_MAX_SECONDS
    )
    assert ran.stdout == "{\n"
    assert ran.stderr == ""
