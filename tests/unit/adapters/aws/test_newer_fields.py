"""Fields that the type stubs do not have yet: none that they have, and none that the model does not know."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from engine.adapters.aws import newer_fields
from engine.service_models.model_file import read_json
from engine.service_models.search import shipped_model

# Beside the newest aiobotocore and in other Pythons the stubs are not installed: they are for mypy.
type_defs = pytest.importorskip("types_aiobotocore_sagemaker.type_defs")
NEWER = {
    node.name: [field.target.id for field in node.body if isinstance(field, ast.AnnAssign)]  # type: ignore[union-attr]
    for node in ast.walk(ast.parse(Path(newer_fields.__file__).read_text(encoding="utf-8")))
    if isinstance(node, ast.ClassDef)
}


@pytest.mark.parametrize("shape", NEWER)
def test_each_field_is_in_the_model_and_not_in_the_stubs(shape: str) -> None:
    of_stubs = getattr(type_defs, f"{shape}TypeDef").__annotations__
    of_model = read_json(shipped_model("sagemaker"))["shapes"][shape]["members"]
    for field in NEWER[shape]:
        assert field in of_model, "the model does not know it"
        assert field not in of_stubs, "the stubs know it: use theirs"
