"""What an ARN names, in whatever case the service writes it."""

from __future__ import annotations

import pytest

from engine.core.arns import names_app, names_owner
from engine.core.identity import SPACE, USER

HEAD = "arn:aws-us-gov:sagemaker:us-gov-west-1:111122223333"
APP = ("d-1", "Alice-lab", "JupyterLab", "default")


@pytest.mark.parametrize("path", ["app/d-1/alice-lab/jupyterlab/default", "app/d-1/Alice-lab/JupyterLab/default"])
def test_an_app_is_named_in_any_case(path: str) -> None:
    assert names_app(f"{HEAD}:{path}", *APP)


@pytest.mark.parametrize(
    "arn",
    [
        f"{HEAD}:app/d-2/alice-lab/jupyterlab/default",
        f"{HEAD}:app/d-1/bob-lab/jupyterlab/default",
        f"{HEAD}:app/d-1/alice-lab/codeeditor/default",
        f"{HEAD}:app/d-1/alice-lab/jupyterlab/other",
        f"{HEAD}:app/d-1/alice-lab/jupyterlab/default/more",
        f"{HEAD}:space/d-1/alice-lab",
        "arn:aws:s3:us-east-1:111122223333:app/d-1/alice-lab/jupyterlab/default",
        "app/d-1/alice-lab/jupyterlab/default",
        "arn:aws:sagemaker",
        "",
    ],
)
def test_a_neighbour_and_nonsense_are_not_it(arn: str) -> None:
    assert not names_app(arn, *APP)


def test_profiles_and_spaces_are_told_apart() -> None:
    assert names_owner(f"{HEAD}:user-profile/d-1/alice", "d-1", USER, "Alice")
    assert names_owner(f"{HEAD}:space/d-1/alice-lab", "d-1", SPACE, "alice-lab")
    assert not names_owner(f"{HEAD}:space/d-1/alice", "d-1", USER, "alice")
