"""`prices` on the command line: where the table goes, and what is said beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.app import prices as app_prices
from engine.app.prices import PricesWritten, Unpriced
from engine.core.price_list import PriceTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.cli.conftest import Ran

TABLE = PriceTable("eu-west-1", {"ml.t3.medium": 0.05})


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[Any, ...]]]:
    """Let the engine give this table, and remember what it was asked for."""

    def give(*tables: PriceTable, **more: Any) -> list[tuple[Any, ...]]:
        asked: list[tuple[Any, ...]] = []

        async def prices(options: Any, regions: tuple[str, ...], out: Path | None, emit: Any) -> PricesWritten:
            del emit
            asked.append((options.command, regions, out))
            return PricesWritten("[prices]\n", tables, **more)

        monkeypatch.setattr(app_prices, "prices", prices)
        return asked

    return give


@pytest.mark.parametrize("words", [(), ("--out", "-")])
def test_without_a_file_standard_output_holds_the_table_alone(
    run: Callable[..., Ran], answered: Callable[..., list[tuple[Any, ...]]], words: tuple[str, ...]
) -> None:
    asked = answered(TABLE)
    ran = run("prices", *words, "--region", "eu-west-1", "--region", "us-east-1")
    assert (ran.code, ran.out, ran.err) == (0, "[prices]\n", "appfleet: eu-west-1: 1 price\n")
    assert asked == [("prices", ("eu-west-1", "us-east-1"), None)]


def test_a_file_that_no_run_reads_and_an_endpoint_that_is_not_aws_are_said(
    run: Callable[..., Ran], answered: Callable[..., list[tuple[Any, ...]]]
) -> None:
    asked = answered(PriceTable("eu-west-1", TABLE.prices, endpoint="http://127.0.0.1:9\x1b[0m"), is_read=False)
    ran = run("prices", "--out", "p.toml")
    assert (ran.code, ran.out) == (0, "wrote p.toml\n")
    assert asked == [("prices", (), Path("p.toml"))]
    assert "\x1b" not in ran.err
    assert "which is not AWS" in ran.err
    assert "The fleet file's `policies` do not name p.toml, so no run reads it" in ran.err


def test_what_was_left_out_and_what_has_no_price_are_named_and_folded(
    run: Callable[..., Ran], answered: Callable[..., list[tuple[Any, ...]]]
) -> None:
    left_out = tuple(f"ml.x{number:02}.large: offers disagree" for number in range(12))
    missing = tuple(Unpriced("eu-west-1", f"ml.y{number:02}.large", number + 1) for number in range(11))
    answered(PriceTable("eu-west-1", TABLE.prices, left_out), unpriced=missing)
    lines = run("prices").err.splitlines()
    assert "appfleet: eu-west-1: left out ml.x09.large: offers disagree" in lines
    assert "appfleet: eu-west-1: left out 2 more" in lines
    assert "appfleet: eu-west-1: no price for ml.y00.large (1 app)" in lines
    assert "appfleet: eu-west-1: no price for ml.y09.large (10 apps)" in lines
    assert "appfleet: no price for 1 more" in lines
    assert len(lines) == 1 + 11 + 11 + 1


def test_no_remark_where_there_is_nothing_to_say(
    run: Callable[..., Ran], answered: Callable[..., list[tuple[Any, ...]]]
) -> None:
    answered(TABLE, is_read=True)
    assert run("prices", "--out", "p.toml").err == "appfleet: eu-west-1: 1 price\n"
