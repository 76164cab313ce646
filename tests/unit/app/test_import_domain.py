"""The imported file's proof and its place on the disk."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from engine.app.import_domain import ImportAsked, bare_fleet, checked, put, refused_beside, with_settings
from engine.config.fleet.imported import import_fleet
from engine.config.fleet.imported_rows import Found
from engine.core.errors import BugError, UsageError
from engine.core.identity import USER, Owner, parse_app_key
from engine.core.observed import AppStatus, ObservedApp, ObservedOwner

if TYPE_CHECKING:
    from pathlib import Path

STEPS = "engine.app.import_domain"
ASKED = ImportAsked("d-abcd1234efgh", "eu-west-1", "imported", "main")
MADE_OF = ("imported", "domain d-abcd1234efgh in eu-west-1")
NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
ALICE = Owner("main", USER, "alice")
KEY = parse_app_key("main/user/alice/Canvas/default")
FOUND = Found(
    "main",
    "d-abcd1234efgh",
    "eu-west-1",
    "111122223333",
    {KEY: ObservedApp(KEY, AppStatus.IN_SERVICE, 1.0)},
    ("alice",),
    {},
)


def test_the_head_says_where_the_file_is_from() -> None:
    """Domain, region and time."""
    text = checked(*MADE_OF, [FOUND], NOW).text

    assert text.startswith(
        "# Written by appfleet import from domain d-abcd1234efgh in eu-west-1 at 2026-11-24T03:00:00Z.\n"
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda made: replace(made, keys=frozenset()), "does not declare what it should: main/user/alice/Canvas"),
        (lambda made: replace(made, document={**made.document, "schema": 9}), "is not valid: schema"),
    ],
)
def test_a_file_that_is_not_what_was_meant_is_a_bug_and_says_where(
    monkeypatch: pytest.MonkeyPatch, change: object, told: str
) -> None:
    """Nobody gets such a file."""
    right = import_fleet
    monkeypatch.setattr(f"{STEPS}.import_fleet", lambda name, found: change(right(name, found)))  # type: ignore[operator]

    with pytest.raises(BugError, match=told):
        checked(*MADE_OF, [FOUND], NOW)


def test_a_file_that_plans_to_a_change_is_a_bug_and_names_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the app is gone from what the plan is held against."""
    made = import_fleet("imported", [FOUND])
    monkeypatch.setattr(f"{STEPS}.import_fleet", lambda *_: made)

    with pytest.raises(
        BugError,
        match=r"planning the imported file shows changes: "
        r"main/user/alice/Canvas/default create \(absent\)",
    ):
        checked(*MADE_OF, [replace(FOUND, apps={})], NOW)


def test_a_file_that_does_not_declare_an_owner_as_it_is_is_a_bug_and_names_the_field(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Here the profile has another role than the one that the file was made from."""
    roles = ["arn:aws:iam::111122223333:role/a", "arn:aws:iam::111122223333:role/b"]
    first, second = (
        replace(FOUND, profiles={"alice": ObservedOwner(ALICE, "InService", 1.0, settings={"ExecutionRole": role})})
        for role in roles
    )
    made = import_fleet("imported", [first])
    monkeypatch.setattr(f"{STEPS}.import_fleet", lambda *_: made)

    with pytest.raises(
        BugError, match="planning the imported file shows changes: main/user/alice differs in execution_role"
    ):
        checked(*MADE_OF, [second], NOW)


def test_a_file_that_would_be_longer_than_a_fleet_file_may_be_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{STEPS}.FLEET_FILE_MAX_BYTES", 100)

    with pytest.raises(UsageError, match="longer than the 100 bytes") as caught:
        checked(*MADE_OF, [FOUND], NOW)
    assert "--no-settings" in caught.value.hint


async def test_a_profile_that_has_gone_since_the_listing_stays_as_that_showed_it() -> None:
    """Its apps may still be listed, so nothing is said of its settings alone."""

    class Scanner:
        async def describe(self, owner: Owner) -> ObservedOwner | None:
            if owner == ALICE:
                return None
            return ObservedOwner(owner, "InService", 1.0, settings={"SecurityGroups": ["sg-1"]})

    rows = [ObservedOwner(Owner("main", USER, name), "InService", 1.0) for name in ("alice", "bob")]
    alice, bob = await with_settings(Scanner(), rows)  # type: ignore[arg-type]

    assert alice == rows[0]
    assert bob.settings == {"SecurityGroups": ["sg-1"]}


@pytest.mark.parametrize(
    "asked", [replace(ASKED, domain='a"]\n[b'), replace(ASKED, region="x\\x1b"), replace(ASKED, fleet="")]
)
def test_words_that_no_fleet_file_takes_are_refused_with_a_hint(asked: ImportAsked) -> None:
    """Also those that would break out of their quotes."""
    with pytest.raises(UsageError) as caught:
        bare_fleet(asked)

    assert caught.value.hint


def test_an_error_that_names_the_domain_names_what_was_typed() -> None:
    """The file in which it was read is gone by then."""
    (domain,) = bare_fleet(ASKED).fleet.domains

    assert str(domain.source) == "--domain-id d-abcd1234efgh"


def test_a_disk_that_gives_back_something_else_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has the name is what was proved."""
    monkeypatch.setattr("pathlib.Path.read_text", lambda *_, **__: "schema = 2\n")

    with pytest.raises(UsageError, match="reads back otherwise"):
        put(tmp_path / "fleet.toml", "schema = 1\n")
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    """Neither is one that is a link to nothing."""
    link = tmp_path / "fleet.toml"
    link.symlink_to("nowhere")

    with pytest.raises(UsageError, match="already exists, and appfleet does not overwrite it"):
        put(link, "schema = 1\n")
    assert list(tmp_path.iterdir()) == [link]


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("", ""),
        (
            '[[rule]]\nid = "small"\nenforcement = "mandatory"\ncheck = "false"\nmessage = "not small"\n',
            "Both exit 4, since mandatory rules beside it deny apps of this file: small (policies/rules.toml:1)",
        ),
        ('[[rule]]\nid = "small"\nenforcement = "advisory"\ncheck = "false"\nmessage = "not small"\n', ""),
        ("[[rule]]\n", "Both exit 64, since the policies beside it are not valid: "),
    ],
)
def test_what_the_policies_beside_a_file_refuse_is_said_before_its_commands_are_run(
    tmp_path: Path, policy: str, said: str
) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "rules.toml").write_text(policy)
    put(tmp_path / "fleet.toml", checked(*MADE_OF, [FOUND], NOW).text)
    refused = refused_beside(tmp_path / "fleet.toml")
    assert refused.replace(f"{tmp_path}/", "").startswith(said)
    assert bool(refused) == bool(said)


def test_a_temporary_folder_that_cannot_be_written_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the disk's trouble, and not a bug."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "full")

    monkeypatch.setattr("tempfile.TemporaryDirectory", full)

    with pytest.raises(UsageError, match="temporary folder cannot be written: No space left"):
        bare_fleet(ASKED)


@pytest.mark.parametrize("call", ["fsync", "link"])
def test_a_disk_that_fills_up_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """Neither the file nor a part of it."""

    def full(*_: object) -> None:
        raise OSError(28, "full")

    monkeypatch.setattr(f"os.{call}", full)

    with pytest.raises(UsageError, match=r"fleet\.toml cannot be written: No space left"):
        put(tmp_path / "fleet.toml", "schema = 1\n")
    assert not list(tmp_path.iterdir())


def test_a_kill_at_any_moment_leaves_no_file_or_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is given last, to a file that is whole and on the disk, and is then on the disk itself."""
    synced: list[tuple[int, bool]] = []
    sizes: list[int] = []
    target = tmp_path / "fleet.toml"
    right = os.fsync

    def look(descriptor: int) -> None:
        right(descriptor)
        found = os.fstat(descriptor)
        synced.append((found.st_ino, target.exists()))
        sizes.append(found.st_size)

    monkeypatch.setattr("os.fsync", look)
    put(target, "schema = 1\n")

    assert synced == [(target.stat().st_ino, False), (tmp_path.stat().st_ino, True)]
    assert sizes[0] == 11
    assert target.read_text() == "schema = 1\n"
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_that_was_made_meanwhile_is_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the naming."""
    target = tmp_path / "fleet.toml"
    target.write_text("mine")
    monkeypatch.setattr(f"{STEPS}.require_free", lambda _: None)

    with pytest.raises(UsageError, match="was created meanwhile"):
        put(target, "schema = 1\n")
    assert target.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    """With the name of the file that was wanted."""
    (tmp_path / "none").write_text("")
    with pytest.raises(UsageError, match=r"none/fleet\.toml cannot be written"):
        put(tmp_path / "none" / "fleet.toml", "")
