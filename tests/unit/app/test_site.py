"""A folder of pages for a web server: written whole, written once, and never over what is somebody else's."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from engine.adapters.state.journal import RunHeader, SqliteJournal, keep_refusal
from engine.adapters.state.journal_end import End
from engine.adapters.state.state_dir import StateDir
from engine.app.options import AppOptions
from engine.app.site import write_site
from engine.core.errors import UsageError
from engine.core.trouble import Trouble
from tools.report_sample import FLEET, HOSTILE, NIGHTS, STARTED, write_nights

EXPIRED = Trouble("AF503", "The session token has expired " + HOSTILE, "Log in again")
REFUSED = "20261125T010000Z-cccccc"


class Links(HTMLParser):
    """Collects what a page links to and asks for, and its headings and scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.asked: list[str] = []
        self.scripts = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.scripts += tag == "script"
        if tag == "a":
            self.links.append(found["href"] or "")
        elif tag != "link":
            self.asked += [value for name in ("src", "href", "action") if (value := found.get(name))]


@pytest.fixture
def options(tmp_path: Path) -> AppOptions:
    with StateDir.open(tmp_path / ".appfleet") as state:
        write_nights(state, 40)
        keep_refusal(state, RunHeader(REFUSED, FLEET, "0.1.0", STARTED), End("failed", 1, STARTED + 3.0, EXPIRED))
    return AppOptions(tmp_path / "fleet.toml")


@pytest.fixture
def site(tmp_path: Path, options: AppOptions) -> Path:
    assert write_site(options, tmp_path / "pages" / "site") == (3, 3)
    return tmp_path / "pages" / "site"


def test_one_page_links_to_the_page_of_each_run_and_each_of_these_back(site: Path) -> None:
    assert sorted(path.name for path in site.iterdir()) == sorted(
        ["index.html", *(f"{run_id}.html" for run_id in (*NIGHTS, REFUSED))]
    )
    index = Links((site / "index.html").read_text())
    assert set(index.links) == {f"{run_id}.html" for run_id in (*NIGHTS, REFUSED)}
    page = Links((site / f"{NIGHTS[1]}.html").read_text())
    assert "index.html" in page.links
    assert f"{NIGHTS[0]}.html" in page.links
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in site.iterdir())


def test_the_page_over_all_runs_needs_nothing_and_no_name_becomes_more_than_text(site: Path) -> None:
    text = (site / "index.html").read_text()
    page = Links(text)
    assert (page.scripts, page.asked) == (0, [])
    assert "script-src 'none'" in text
    assert HOSTILE not in text
    assert "The session token has expired" in text
    assert "<h1>ml-platform: 3 runs, " in text
    assert "and ended after 3.0 s: AF503: The session token" in text


def test_trends_are_drawn_and_told_in_a_table(site: Path) -> None:
    text = (site / "index.html").read_text()
    assert re.findall(r"<h3>([^<]*)</h3>", text) == ["Apps per run", "Created per minute", "Duration"]
    assert text.count('<table class="numbers">') == 3
    assert '<path class="s-no"' in text
    assert len(re.findall(r"<tr><td>\d\d Nov 06:00</td>", text)) == 6


def test_pages_of_runs_that_have_ended_are_written_once(site: Path, options: AppOptions) -> None:
    with StateDir.open(site.parent.parent / ".appfleet") as state:
        SqliteJournal.open(state, RunHeader("20261126T010000Z-dddddd", FLEET, "0.1.0", STARTED)).close()
    marked = site / f"{NIGHTS[0]}.html"
    marked.write_text(marked.read_text() + "<!-- as it was -->")
    assert write_site(options, site) == (4, 1)
    assert marked.read_text().endswith("<!-- as it was -->")
    assert write_site(options, site) == (4, 1), "a run without an end may have gone on"
    marked.write_text("of an earlier version")
    assert write_site(options, site) == (4, 2)


def test_an_index_of_somebody_else_is_left_alone(tmp_path: Path, options: AppOptions) -> None:
    (tmp_path / "index.html").write_text("mine")
    with pytest.raises(UsageError, match="that appfleet did not write"):
        write_site(options, tmp_path)
    assert (tmp_path / "index.html").read_text() == "mine"


@pytest.mark.parametrize("address", ["s3://bucket/site", "https://web.example/site"])
def test_an_address_is_no_folder(
    tmp_path: Path, options: AppOptions, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """Nobody looks for the pages of a bucket in a folder named s3: of the working directory."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="is an address"):
        write_site(options, Path(address))
    assert not list(tmp_path.glob("*:*"))


def test_a_folder_that_cannot_be_made_or_written_is_said(tmp_path: Path, options: AppOptions) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be made"):
        write_site(options, tmp_path / "file" / "site")
    (tmp_path / "site" / f"{NIGHTS[1]}.html").mkdir(parents=True)
    with pytest.raises(UsageError, match=f"{NIGHTS[1]}.html cannot be written"):
        write_site(options, tmp_path / "site")


def test_a_run_whose_name_is_no_name_of_a_file_has_no_page(tmp_path: Path) -> None:
    with StateDir.open(tmp_path / ".appfleet") as state:
        SqliteJournal.open(state, RunHeader("../../evil", FLEET, "0.1.0", STARTED)).close()
    with pytest.raises(UsageError, match="there is no run in"):
        write_site(AppOptions(tmp_path / "fleet.toml"), tmp_path / "site")
    assert list((tmp_path / "site").iterdir()) == []


def test_one_run_has_no_trend_and_runs_of_several_fleets_are_not_compared(tmp_path: Path) -> None:
    with StateDir.open(tmp_path / ".appfleet") as state:
        SqliteJournal.open(state, RunHeader("run-1", FLEET, "0.1.0", STARTED)).close()
        options = AppOptions(tmp_path / "fleet.toml")
        write_site(options, tmp_path / "one")
        SqliteJournal.open(state, RunHeader("run-2", "web", "0.1.0", STARTED)).close()
        write_site(options, tmp_path / "two")
    assert "Trends" not in (tmp_path / "one" / "index.html").read_text()
    text = (tmp_path / "two" / "index.html").read_text()
    assert "Trends" not in text
    assert "<h1>2 fleets: 2 runs, 0 converged</h1>" in text
