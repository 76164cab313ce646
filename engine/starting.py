"""`init` behind the command line: the files of a new fleet, proved to be valid before they are put in place."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.config.starter import starter_files
from engine.core.desired import DesiredDomain, Source
from engine.core.errors import AppfleetError, ConfigError, UsageError
from engine.core.limits import OFFERED_DOMAINS_MAX_COUNT

if TYPE_CHECKING:
    from datetime import date

    from engine.config.starter import Answers


@dataclass(frozen=True, slots=True)
class Offer:
    """What the credentials at hand reach in a region: the account, and the ids of its first domains."""

    account: str
    domain_ids: tuple[str, ...]


async def offered(region: str, endpoint_url: str | None) -> Offer | None:
    """Look for domains to offer: at most two calls, both reads. None where there are no credentials, or none that may.

    It is a help and no more: whatever goes wrong, the question is asked without it.
    """
    from engine.adapters.sessions import Clouds

    domain = DesiredDomain("main", "", region, Source("init", 0))
    try:
        async with Clouds(endpoint_url=endpoint_url) as clouds:
            caller = await (await clouds.connect(domain)).caller()
            account = await clouds.account(domain)
            page = None if account is None else await account.list_domains()
    except AppfleetError:
        return None
    return Offer(caller.account, () if page is None else page.domain_ids[:OFFERED_DOMAINS_MAX_COUNT])


def start_fleet(folder: Path, answers: Answers, today: date) -> tuple[Path, ...]:
    """Write the files below `folder`, and give their paths.

    Raises UsageError where one of them is there already or an answer makes no valid fleet, and then nothing is written.
    """
    files = starter_files(answers)
    there = [name for name in files if (folder / name).exists() or (folder / name).is_symlink()]
    if there:
        raise UsageError(
            f"{', '.join(there)} in {folder}: there already, and nothing is overwritten",
            hint="Choose another folder with --out, or move what is there away",
        )
    _prove(files, today)
    written: list[Path] = []
    for name, text in files.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}", hint="Choose a folder with --out") from None
        written.append(path)
    return tuple(written)


def _prove(files: dict[str, str], today: date) -> None:
    """Read the files as a run would. What is wrong with them is wrong with an answer: the rest is the same always."""
    from engine.loading import load

    with tempfile.TemporaryDirectory(prefix="appfleet-init-") as made:
        for name, text in files.items():
            path = Path(made) / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        try:
            load(Path(made) / "fleet.toml", today)
        except ConfigError as error:
            first = error.diagnostics[0]
            raise UsageError(f"{first.key_path}: {first.message}", hint=first.hint) from None
