from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import UsageError
from engine.core.identity import AppKey, Lane, Owner, QuotaBucket, folded, parse_app_key, word_of_key

KEY = AppKey("research", "space", "alice-lab", "JupyterLab", "default")

parts = st.text(st.characters(exclude_characters="/"), min_size=1)


def test_written_forms() -> None:
    assert str(KEY) == "research/space/alice-lab/JupyterLab/default"
    assert str(KEY.owner_key) == "research/space/alice-lab"
    assert str(Lane("111122223333", "eu-west-1")) == "111122223333/eu-west-1"
    assert str(QuotaBucket("1", "eu-west-1", "JupyterLab", "ml.t3.medium")) == "1/eu-west-1/JupyterLab/ml.t3.medium"
    plan = "arn:aws:sagemaker:eu-west-1:1:training-plan/p5"
    assert str(QuotaBucket("1", "eu-west-1", "", "", plan)) == "1/eu-west-1/training-plan/p5"


def test_an_app_belongs_to_its_owner() -> None:
    assert KEY.owner_key == Owner("research", "space", "alice-lab")


def test_keys_sort_by_their_parts_from_left_to_right() -> None:
    later = KEY._replace(domain="sandbox", owner="aaa")
    user = KEY._replace(owner_kind="user", owner="aaa")
    assert sorted([later, user, KEY]) == [KEY, user, later]


@given(parts, st.sampled_from(("space", "user")), parts, parts, parts)
def test_what_is_written_is_read_back(domain: str, kind: str, owner: str, app_type: str, name: str) -> None:
    key = AppKey(domain, kind, owner, app_type, name)  # type: ignore[arg-type]
    assert parse_app_key(str(key)) == key


@pytest.mark.parametrize("text", ["", "research", "a/user/b/c", "a/user/b/c/d/e", "a/user//c/d", "/user/b/c/d"])
def test_other_than_five_parts_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match=r"is not an app key\. Write DOMAIN/user\|space/OWNER"):
        parse_app_key(text)


def test_an_unknown_owner_kind_is_refused_and_named() -> None:
    with pytest.raises(UsageError, match='its second part is "team", and must be user or space'):
        parse_app_key("research/team/alice/Canvas/default")


def test_user_names_are_equal_in_any_case_and_space_names_are_not() -> None:
    user = AppKey("research", "user", "Alice", "Canvas", "Default")
    assert folded(user) == AppKey("research", "user", "alice", "Canvas", "Default")
    assert folded(KEY._replace(owner="Alice-Lab")).owner == "Alice-Lab"


@pytest.mark.parametrize(
    ("key", "word"),
    [
        ("research", "domain"),
        ("research/user/alice", "user profile"),
        ("research/space/alice-lab", "space"),
        ("research/space/alice-lab/JupyterLab/default", "app"),
    ],
)
def test_what_a_key_names(key: str, word: str) -> None:
    assert word_of_key(key) == word
