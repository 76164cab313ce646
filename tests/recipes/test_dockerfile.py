"""The image, as far as it can be tried without a builder: what is copied is there, is enough, and runs as no root."""

from __future__ import annotations

import fnmatch
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import yaml

from tests.architecture.files import ROOT, tracked
from tests.architecture.test_archives import build
from tests.recipes.platforms import RECIPES, RUN_MAX_SECONDS, write_fleet

INSTRUCTION = re.compile(r"^([A-Z]+) (.*)$", re.MULTILINE)


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile with what they are given, continued lines joined."""
    text = "\n".join(line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#"))
    return INSTRUCTION.findall(re.sub(r"\s*\\\n\s*", " ", text))


def all_of(name: str) -> list[str]:
    return [given for instruction, given in instructions() if instruction == name]


def copied() -> list[tuple[list[str], str]]:
    """Return the sources and the target of each copy from the repository."""
    found = [given.split() for given in all_of("COPY") if not given.startswith("--from")]
    return [(parts[:-1], parts[-1]) for parts in found]


def test_what_is_copied_is_tracked_and_goes_to_the_builder() -> None:
    sent = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for sources, _ in copied():
        for source in sources:
            assert (ROOT / source).exists()
            assert any(fnmatch.fnmatch(source, pattern) for pattern in sent)
            assert any(Path(name).is_relative_to(source) for name in tracked())


def test_what_is_copied_is_all_that_the_package_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    sources = {source for names, _ in copied() for source in names}
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {
        "pyproject.toml",
        project["project"]["readme"],
        *project["project"]["license-files"],
        *wheel["only-include"],
        *(str(Path(name).parent) for name in wheel["shared-data"]),
    }
    assert needed <= sources
    (install,) = (run for run in all_of("RUN") if "pip install" in run)
    pinned = re.findall(r" -r (\S+)", install)
    assert pinned == ["constraints/build.txt", "constraints/hashed.txt"]
    for name in pinned:
        assert (ROOT / name).is_file()
        assert any(Path(name).is_relative_to(source) for source in sources)


def test_the_image_installs_nothing_that_was_not_hashed() -> None:
    steps = [step for run in all_of("RUN") for step in run.split(" && ") if "/pip " in step]
    assert len(steps) == 4
    for step in steps:
        assert "--require-hashes" in step or "--no-deps" in step
        assert "wheel" not in step or "--no-build-isolation" in step or "--no-index" in step


def test_the_program_runs_from_what_is_copied_alone(tmp_path: Path) -> None:
    source, fleet = tmp_path / "src", tmp_path / "fleet"
    for names, target in copied():
        for name in names:
            place = source / target / ("" if (ROOT / name).is_dir() else name)
            place.parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, place)
    write_fleet(fleet)
    installed = tmp_path / "installed"
    with zipfile.ZipFile(build(source, tmp_path / "wheel", "wheel")) as archive:
        archive.extractall(installed)
    for arguments in (["validate"], ["--state-dir", str(tmp_path / "state"), "plan", "--simulate"]):
        ran = subprocess.run(
            [sys.executable, "-P", "-m", "appfleet", *arguments],
            cwd=fleet, env={"PYTHONPATH": str(installed), "PATH": "/usr/bin:/bin"},
            capture_output=True, text=True, check=False, timeout=RUN_MAX_SECONDS,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr


def test_the_image_runs_as_the_user_of_the_manifest_with_what_it_expects() -> None:
    (job,) = (
        document
        for document in yaml.safe_load_all((RECIPES / "kubernetes-cronjob.yaml").read_text())
        if document["kind"] == "CronJob"
    )
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    context = pod["securityContext"]
    assert all_of("USER") == [f"{context['runAsUser']}:{context['runAsGroup']}"]
    assert all_of("ENTRYPOINT") == ['["appfleet"]']
    (container,) = pod["containers"]
    made = " ".join(all_of("RUN"))
    assert f"-o {context['runAsUser']} -g {context['runAsGroup']} -m 0700 /state" in made
    assert "/fleet" in made  # a mount point cannot be made on a read-only root by everything that runs pods
    assert f"-t {container['image']} ." in (ROOT / "Dockerfile").read_text()
    (variables,) = all_of("ENV")
    assert "APPFLEET_STATE_DIR=/state/appfleet" in variables
    assert "--state-dir=/state/appfleet" in container["args"]
