"""`init` behind the command line: the files of a new fleet, proved to be valid before they are put in place."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from engine.app.schema import SCHEMAS_FOLDER, SchemaOf, schema_text
from engine.config.fleet.starter import GIT_IGNORE_NAME, Answers, starter_files
from engine.config.service.fields import REGION
from engine.core.desired import DesiredDomain, Source
from engine.core.errors import AppfleetError, ConfigError, UsageError
from engine.core.limits import OFFER_MAX_SECONDS
from engine.core.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

_CRON_HEAD: Final = """# The starts and ends of this fleet's hours, in UTC. Print them again when its calendars change.
# Where daylight saving moves a time there are two lines; at the wrong hour, the run finds nothing to do.
# A cron without CRON_TZ uses the time zone of its machine: set that to UTC, or change the times.
# A successful run prints nothing here. Any other run prints one line, which cron mails; the log has the rest.
CRON_TZ=UTC"""

__all__ = [
    "Answers", "Offer", "OfferedDomain", "crontab_of", "home_region", "offered", "problem_with", "profiles_to_choose",
    "regions_to_search", "require_free", "start_fleet",
]  # fmt: skip


class OfferedDomain(NamedTuple):
    """A domain that the credentials at hand list; `name` is SageMaker's."""

    region: str
    domain_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Offer:
    """What the credentials at hand reach: their account, and domains, those of the first region first."""

    account: str
    domains: tuple[OfferedDomain, ...]


def profiles_to_choose() -> tuple[str, ...]:
    """Return the AWS profiles of this machine; none where there is no choice."""
    from engine.app.reaching import configured_profiles

    found = configured_profiles()
    return () if set(found) <= {"default"} else found


def regions_to_search(profile: str) -> tuple[str, ...]:
    """Return the regions in which domains may be: the configured one first, then every other of its partition."""
    from engine.app.reaching import service_regions

    first = home_region(profile)
    return tuple(dict.fromkeys((*([first] if first else ()), *service_regions(first))))


def home_region(profile: str) -> str:
    """Return the region that the environment or the profile sets; empty where none does, or what it sets is none."""
    from engine.app.reaching import configured_region

    found = configured_region(profile)
    return found if REGION.fullmatch(found) else ""


async def offered(regions: Sequence[str], endpoint_url: str | None, profile: str = "") -> Offer | None:
    """Look for domains to offer: one read for each region and one for the account. None without usable credentials.

    It is a help and no more: whatever goes wrong or takes too long, the question is asked without it.
    """
    import asyncio

    from engine.app.reaching import Clouds

    where = {one: DesiredDomain("main", "", one, Source("init", 0), profile=profile or None) for one in regions}
    account = ""
    found: dict[str, list[OfferedDomain]] = {}

    async def look(clouds: Clouds, region: str) -> None:
        # A region that is not enabled, or that a policy denies, refuses.
        with suppress(AppfleetError):
            page = await (await clouds.domains(where[region])).list_domains()
            found[region] = [OfferedDomain(region, one.domain_id, one.name) for one in page.domains]

    with suppress(AppfleetError, TimeoutError):
        async with asyncio.timeout(OFFER_MAX_SECONDS), Clouds(endpoint_url=endpoint_url) as clouds:
            account = (await (await clouds.connect(where[regions[0]])).caller()).account
            await asyncio.gather(*(look(clouds, region) for region in regions))
    if not account:
        return None
    return Offer(account, tuple(domain for region in regions for domain in found.get(region, ())))


def problem_with(answers: Answers, today: date) -> UsageError | None:
    """Return what is wrong with one of the answers, if anything is, as an error with a hint."""
    try:
        _prove(starter_files(answers), today)
    except UsageError as error:
        return error
    return None


def require_free(folder: Path, answers: Answers) -> None:
    """Raise UsageError where a file that would be written is there already."""
    there = [name for name in starter_files(answers) if name != GIT_IGNORE_NAME and os.path.lexists(folder / name)]
    if there:
        raise UsageError(
            f"{', '.join(there)} in {folder}: already there, and appfleet does not overwrite them",
            hint="Choose another folder with --out, or move these files away",
        )


def start_fleet(folder: Path, answers: Answers, today: date) -> tuple[Path, ...]:
    """Write the files below `folder`, and give their paths.

    Raises UsageError where one of them is there already or an answer makes no valid fleet, and then nothing is written.
    """
    files = starter_files(answers)
    require_free(folder, answers)
    _prove(files, today)
    files |= {f"{SCHEMAS_FOLDER}/{kind.file_name}": schema_text(kind) for kind in SchemaOf}
    for name in (GIT_IGNORE_NAME, *(f"{SCHEMAS_FOLDER}/{kind.file_name}" for kind in SchemaOf)):
        if os.path.lexists(folder / name):  # the project's own, which has more to say than ours
            del files[name]
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
    from engine.app.loading import load

    with tempfile.TemporaryDirectory(prefix="appfleet-init-") as made:
        for name, text in files.items():
            path = Path(made) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        try:
            load(Path(made) / "fleet.toml", today)
        except ConfigError as error:
            first = error.diagnostics[0]
            raise UsageError(f"{first.key_path}: {first.message}", hint=first.hint) from None


def crontab_of(fleet_file: Path, now: datetime) -> str:
    """Return the lines of a crontab for the hours of a fleet. Raises UsageError where no hours ever change."""
    from engine.config.fleet.fleet_file import load_fleet
    from engine.core.crontab import cron_lines

    lines = cron_lines(load_fleet(fleet_file).fleet.hours, now)
    if not lines:
        raise UsageError(
            f"no hours of {fleet_file} ever begin or end, so they need no crontab",
            hint='Set hours = "Mon-Fri 08:00-19:00 Europe/Berlin" for an app, or run the fleet once a day',
        )
    path = fleet_file.absolute()
    log, last = str(path.parent / "appfleet.jsonl"), str(path.parent / "last.json")
    words = [shutil.which("appfleet") or "appfleet", "-f", str(path), "--log-file", log]
    command = f"{shlex.join([*words, 'apply', '--yes', '--format', 'json'])} > {shlex.quote(last)}"
    command = command.replace("%", r"\%")
    rows = [f"{line.schedule} {command}  # {', '.join(map(clean, line.hours))}" for line in lines]
    return "\n".join([_CRON_HEAD, *rows]) + "\n"
