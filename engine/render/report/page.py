"""What the pages of runs share: templates, style and script, their hashes, and how the pages of a site are named."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Final

from jinja2 import DictLoader, Environment, StrictUndefined

INDEX: Final = "index.html"
_TEMPLATES: Final = ("report.html", "site.html", "parts.html")


@dataclass(frozen=True, slots=True)
class Templates:
    """The files of the package."""

    environment: Environment
    style: str
    script: str


def page_of(run_id: str) -> str:
    """Return the name of the page of a run in a site."""
    return f"{run_id}.html"


def moment(epoch_s: float) -> str:
    """Return `2026-11-24 01:00:00 UTC`."""
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def hash_of(text: str) -> str:
    """Return the hash by which a page's policy knows its style or script."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def templates() -> Templates:
    """Return the files, read once."""
    folder = files("engine.render") / "templates"

    def read(name: str) -> str:
        return folder.joinpath(name).read_text(encoding="utf-8").strip()

    environment = Environment(
        loader=DictLoader({name: read(f"{name}.j2") for name in _TEMPLATES}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return Templates(environment, read("report.css"), read("report.js"))
