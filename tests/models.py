"""Models of SageMaker as a user may have them under AWS_DATA_PATH: newer, older or broken ones."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any, Final

from engine.service_models.model_file import read_json
from engine.service_models.search import shipped_model

if TYPE_CHECKING:
    from pathlib import Path

NEW_FIELD: Final = "ReservedRackArn"


def own_model() -> dict[str, Any]:
    """Return a copy of the shipped model, to be changed."""
    model: dict[str, Any] = copy.deepcopy(read_json(shipped_model("sagemaker")))
    return model


def newer_model() -> dict[str, Any]:
    """Return a model that is newer than anybody's: ResourceSpec has a field more, and a family of machines is new."""
    model = own_model()
    model["shapes"]["ResourceSpec"]["members"][NEW_FIELD] = {"shape": "ReservedRackArn"}
    model["shapes"]["ReservedRackArn"] = {"type": "string", "max": 64, "pattern": "rack-[a-z]+"}
    model["shapes"]["AppInstanceType"]["enum"].append("ml.z9.large")
    return model


def older_model() -> dict[str, Any]:
    """Return a model of before training plans."""
    model = own_model()
    del model["shapes"]["ResourceSpec"]["members"]["TrainingPlanArn"]
    del model["operations"]["DescribeTrainingPlan"]
    return model


def write_model(folder: Path, model: Any, service: str = "sagemaker", name: str = "service-2.json") -> Path:
    """Write a model, or the bytes of one, where botocore looks below `folder`."""
    file = folder / service / "2017-07-24" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(model if isinstance(model, bytes) else json.dumps(model).encode())
    return file
