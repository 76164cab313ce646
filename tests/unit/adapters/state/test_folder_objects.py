"""A folder as a store of objects: nothing that is there is written over, and each file is whole."""

from __future__ import annotations

import asyncio
import os
import stat
from typing import TYPE_CHECKING

import pytest

from engine.adapters.state import folder_objects
from engine.adapters.state.folder_objects import FolderObjects
from engine.core.errors import StateError
from engine.ports.objects import WriteRefusedError

if TYPE_CHECKING:
    from pathlib import Path


async def test_what_is_written_is_read_and_listed(tmp_path: Path) -> None:
    store = FolderObjects(tmp_path / "plans")
    assert await store.get("a/b.json") is None
    assert await store.names("") == ()
    tag = await store.put("a/b.json", b"{}", replaces=None)
    there = await store.get("a/b.json")
    assert there is not None
    assert (there.data, there.tag) == (b"{}", tag)
    assert there.age_s < 60.0
    await store.put("c.json", b"1", replaces=None)
    assert await store.names("") == ("a/b.json", "c.json")
    assert await store.names("a/") == ("a/b.json",)
    assert stat.S_IMODE((tmp_path / "plans" / "a" / "b.json").stat().st_mode) == 0o600


async def test_of_many_who_write_one_name_one_wins(tmp_path: Path) -> None:
    store = FolderObjects(tmp_path)
    tried = [store.put("one.json", str(number).encode(), replaces=None) for number in range(8)]
    ended = await asyncio.gather(*tried, return_exceptions=True)
    assert sum(isinstance(end, WriteRefusedError) for end in ended) == 7


async def test_a_version_is_replaced_and_another_one_is_not(tmp_path: Path) -> None:
    store = FolderObjects(tmp_path)
    tag = await store.put("one.json", b"1", replaces=None)
    assert await store.put("one.json", b"2", replaces=tag) != tag
    for stale in (tag, "none"):
        with pytest.raises(WriteRefusedError):
            await store.put("one.json", b"3", replaces=stale)
    with pytest.raises(WriteRefusedError):
        await store.put("two.json", b"3", replaces=tag)


async def test_what_cannot_be_read_or_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    assert await FolderObjects(tmp_path / "file").get("one.json") is None
    with pytest.raises(StateError, match=r"file/one.json cannot be written: File exists"):
        await FolderObjects(tmp_path / "file").put("one.json", b"", replaces=None)
    (tmp_path / "folder").mkdir()
    with pytest.raises(StateError, match="cannot be read: Is a directory"):
        await FolderObjects(tmp_path).get("folder")
    monkeypatch.setattr(folder_objects, "PLAN_FILE_MAX_BYTES", 2)
    (tmp_path / "large").write_text("123")
    with pytest.raises(StateError, match="is larger than 2 bytes"):
        await FolderObjects(tmp_path).get("large")


async def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StateError, match="cannot be written: No space left on device"):
        await FolderObjects(tmp_path).put("one.json", b"1", replaces=None)
    assert [name for _, _, names in os.walk(tmp_path) for name in names] == []
