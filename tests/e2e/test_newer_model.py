"""A model under AWS_DATA_PATH that is newer than ours, older, or broken: what each command makes of it."""

from __future__ import annotations

import gzip
import json
import os
import signal
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.harness import DOMAIN_ID, PROCESS_MAX_SECONDS, Place
from tests.e2e.test_onboarding import CREATES, QUICK_OWNERS
from tests.models import NEW_FIELD, newer_model, older_model, own_model, write_model

if TYPE_CHECKING:
    from collections.abc import Iterator

USERS = """schema = 1
name = "e2e"
policies = ["policies/*.toml"]
[domains.research]
id = "d-research0001"
region = "eu-west-1"
[domains.research.users.alice]
[apps.lab]
type = "JupyterLab"
instance_type = "ml.t3.medium"
"""
SPACE = """
[domains.research.spaces.rack]
owner = "alice"
apps = ["lab"]
"""
SETTINGS = """
[domains.research.spaces.rack.settings.JupyterLabAppSettings.DefaultResourceSpec]
InstanceType = "ml.t3.medium"
"""
NEW = SETTINGS + f'{NEW_FIELD} = "rack-b"\n'


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "execution.toml").write_text(CREATES)
    return Place(tmp_path)


def write(place: Place, fleet: str) -> None:
    (place.folder / "fleet.toml").write_text(fleet.replace("d-research0001", DOMAIN_ID))


@contextmanager
def simulated(place: Place, **environment: Any) -> Iterator[None]:
    """Serve a world with the users of the fleet in a process that reads the model as every command does."""
    with place.process("simulate", "--for-fleet", **environment) as process:
        assert process.stdout is not None
        place.url = process.stdout.readline().split()[3].rstrip(".")
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(PROCESS_MAX_SECONDS) == 0


def test_a_field_of_a_newer_model_goes_through_every_part(place: Place) -> None:
    models = str(place.folder / "models")
    write_model(Path(models), newer_model())
    newer: dict[str, Any] = {"AWS_DATA_PATH": models}
    write(place, USERS)
    with simulated(place, **newer):
        write(place, USERS + SPACE + NEW)
        assert place.run("validate", **newer).code == 0
        made = place.apply(**newer)
        assert made.code == 0, made.err
        assert made.outcomes() == {"research/space/rack/JupyterLab/default": "created"}
        imported = place.run("import", "--domain-id", DOMAIN_ID, "--region", "eu-west-1", **newer)
        assert f'{NEW_FIELD} = "rack-b"' in imported.out
        assert place.run("plan", "--owners", **newer).code == 0


def test_a_simulation_knows_the_field_too(place: Place) -> None:
    models = place.folder / "models"
    write_model(models, newer_model())
    write(place, USERS + SPACE + NEW)
    (place.folder / "scenario.toml").write_text(QUICK_OWNERS)
    ran = place.run("apply", "--yes", "--simulate=scenario.toml", AWS_DATA_PATH=str(models))
    assert ran.code == 0, ran.err
    assert "1 created" in ran.out


def test_without_the_newer_model_the_error_names_the_way_to_one(place: Place) -> None:
    write(place, USERS + SPACE + NEW)
    ran = place.run("validate", log=False)
    assert ran.code == 64
    said, end = ran.err.splitlines()
    assert said == (
        f"fleet.toml:18: domains.research.spaces.rack.settings.JupyterLabAppSettings.DefaultResourceSpec.{NEW_FIELD}: "
        "the model of SageMaker from botocore 1.44.8 has no such setting. The keys here are SageMakerImageArn, "
        "SageMakerImageVersionArn, SageMakerImageVersionAlias, InstanceType, LifecycleConfigArn or TrainingPlanArn. "
        "If SageMaker has added it since, set AWS_DATA_PATH to a folder with a newer model"
    )
    assert end == "appfleet: error AF102: 1 problem found; nothing was called"


def test_what_a_newer_model_says_of_its_field_holds(place: Place) -> None:
    models = str(place.folder / "models")
    write_model(Path(models), gzip.compress(json.dumps(newer_model()).encode()), name="service-2.json.gz")
    write(place, USERS + SPACE + NEW.replace("rack-b", "shelf"))
    ran = place.run("validate", AWS_DATA_PATH=f"{place.folder / 'none'}{os.pathsep}{models}")
    assert ran.code == 64
    assert '"shelf" does not match the service\'s pattern' in ran.err


def test_a_model_of_the_home_folder_is_found(place: Place) -> None:
    write_model(place.folder / ".aws" / "models", newer_model())
    write(place, USERS.replace("ml.t3.medium", "ml.z9.large") + SPACE + NEW)
    ran = place.run("validate")
    assert (ran.code, ran.err) == (0, "")


def test_an_older_model_ends_nothing_that_does_not_need_what_it_lacks(place: Place) -> None:
    models = str(place.folder / "models")
    write_model(Path(models), older_model())
    write(place, USERS)
    with simulated(place, AWS_DATA_PATH=models):
        write(place, USERS + SPACE + SETTINGS)
        made = place.apply(AWS_DATA_PATH=models)
        assert made.code == 0, made.err
        write(place, USERS + SPACE + SETTINGS + 'TrainingPlanArn = "None"\n')
        ran = place.run("validate", AWS_DATA_PATH=models)
    file = place.folder / "models" / "sagemaker" / "2017-07-24" / "service-2.json"
    assert ran.code == 64
    assert f"TrainingPlanArn: the service model {file} has no such setting." in ran.err


def lacking(*path: str) -> bytes:
    """Return a model without one of its parts."""
    model = part = own_model()
    for name in path[:-1]:
        part = part[name]
    del part[path[-1]]
    return json.dumps(model).encode()


BROKEN = {
    "not JSON": (b"{", "it is not valid JSON (line 1: "),
    "empty": (b"", "it is not valid JSON (line 1: "),
    "a list": (b"[]", "it is not a service model of botocore's form (it has no table metadata)"),
    "not UTF-8": (b'{"\xff": 1}', "it is not UTF-8"),
    "nested": (b"[" * 200_000, "it is nested too deeply"),
    "no CreateApp": (lacking("operations", "CreateApp"), "it has no operation CreateApp"),
    "no ResourceSpec": (lacking("shapes", "ResourceSpec"), "it has no shape ResourceSpec, which "),
    "no UserSettings": (lacking("shapes", "UserSettings"), "it has no shape UserSettings, which "),
    "no serviceId": (lacking("metadata", "serviceId"), "its metadata has no text serviceId"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_model_is_one_error_that_names_its_file(place: Place, name: str) -> None:
    raw, why = BROKEN[name]
    models = str(place.folder / "models")
    said = f"the service model {write_model(Path(models), raw)} cannot be used: {why}"
    write(place, USERS + SPACE)
    assert place.run("validate", AWS_DATA_PATH=models).code == 0, "a fleet without settings reads no model"
    planned = place.run("plan", log=False, AWS_DATA_PATH=models, AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert (planned.code, planned.out) == (64, "")
    assert planned.err.startswith(f"appfleet: error AF103: {said}")
    assert planned.err.count("\n") == 1
    write(place, USERS + SPACE + SETTINGS)
    checked = place.run("validate", log=False, AWS_DATA_PATH=models)
    assert (checked.code, checked.err.count("\n")) == (64, 2)
    assert checked.err.startswith(f"fleet.toml:16: domains.research.spaces.rack.settings: {said}")


@pytest.mark.parametrize("command", ["simulate", "plan"])
def test_a_simulation_ends_with_the_same_error(place: Place, command: str) -> None:
    models = str(place.folder / "models")
    file = write_model(Path(models), b"{")
    write(place, USERS + SPACE)
    ran = place.run(command, *(["--simulate"] if command == "plan" else []), log=False, AWS_DATA_PATH=models)
    assert (ran.code, ran.out) == (64, "")
    assert f"appfleet: error AF103: the service model {file} cannot be used: it is not valid JSON" in ran.err
    assert "Replace or remove that file" in ran.err


def test_a_broken_model_of_a_service_beside_sagemaker_is_named_too(place: Place) -> None:
    models = str(place.folder / "models")
    file = write_model(Path(models), b"{", service="sts")
    write(place, USERS + SPACE)
    ran = place.run("plan", log=False, AWS_DATA_PATH=models, AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert ran.code == 64
    assert f"appfleet: error AF103: the service model {file} cannot be used" in ran.err
