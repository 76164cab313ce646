"""A table of domains that lost more than a tenth of its rows is a finding."""

from __future__ import annotations

from engine.core.shrunk import shrunk_tables


def test_more_than_a_tenth_of_the_rows_gone_is_said_with_both_numbers() -> None:
    (finding,) = shrunk_tables({"a.csv": 1_000, "b.csv": 10, "c.csv": 5}, {"a.csv": 899, "b.csv": 9})
    assert (finding.rule, finding.enforcement, finding.source) == ("tables", "advisory", "a.csv")
    assert finding.message.startswith("a.csv has 899 rows, and had 1,000 at the last run: domains that are gone")


def test_a_table_that_is_new_or_grew_or_lost_a_tenth_is_not() -> None:
    assert shrunk_tables({}, {"a.csv": 3}) == ()
    assert shrunk_tables({"a.csv": 3, "b.csv": 1_000}, {"a.csv": 4, "b.csv": 900}) == ()
