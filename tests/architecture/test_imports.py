"""The speed of a keystroke: what `--help` and `validate` must not import."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.architecture.files import ROOT

RUN_MAX_SECONDS = 180
AWS = ("aioboto3", "aiobotocore", "aiohttp", "boto3", "botocore")
SCRIPT = """
import contextlib, io, sys
from engine.cli.main import main
with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO())):
    code = main(sys.argv[1:])
print(code, *sorted(name for name in sys.modules if "." not in name))
"""


def _imported(*arguments: str) -> set[str]:
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=RUN_MAX_SECONDS,
    )  # fmt: skip
    code, *names = ran.stdout.split()
    assert code == "0", ran.stderr
    return set(names)


LIBRARIES = {*AWS, "asyncio", "orjson", "rich", "sqlite3", "structlog", "cel_expr_python"}


@pytest.mark.parametrize("arguments", [("--help",), ("--version",)])
def test_help_imports_neither_our_libraries_nor_asyncio(arguments: tuple[str, ...]) -> None:
    assert _imported(*arguments) & {*LIBRARIES, "pydantic"} == set()


def test_the_help_of_a_command_imports_no_more_than_the_parser_does() -> None:
    assert _imported("apply", "--help") & LIBRARIES == set()


def test_validate_imports_no_client_no_log_and_no_screen() -> None:
    assert _imported("validate", "-f", "fleet.toml") & {*AWS, "asyncio", "rich", "sqlite3", "structlog"} == set()


def test_a_schema_imports_no_client_either() -> None:
    assert _imported("schema", "fleet") & {*AWS, "rich", "structlog"} == set()
