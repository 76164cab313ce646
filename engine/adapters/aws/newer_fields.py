"""Requests of SageMaker with the fields that its model has and the installed type stubs do not have yet.

Each is a table of the stubs with more fields, so mypy takes it wherever the stubs ask for theirs. A test fails when the
stubs have caught up with one, or when the model does not know it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types_aiobotocore_sagemaker.type_defs import ResourceSpecTypeDef

    class ResourceSpec(ResourceSpecTypeDef, total=False):
        """What an app runs on."""

        TrainingPlanArn: str
