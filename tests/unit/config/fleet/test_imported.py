"""What a live domain's fleet file looks like: shapes, teams, what is left out and why."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from engine.config.fleet.fleet_text import fleet_text
from engine.config.fleet.imported import Imported, import_fleet
from engine.config.fleet.imported_rows import Found
from engine.core.desired import AppSpec
from engine.core.errors import BugError
from engine.core.identity import SPACE, Owner, parse_app_key
from engine.core.observed import AppStatus, ObservedApp, ObservedOwner

if TYPE_CHECKING:
    from collections.abc import Mapping

T3 = AppSpec(instance_type="ml.t3.medium")
G5 = AppSpec(instance_type="ml.g5.xlarge")


def row(key: str, spec: AppSpec = T3, status: AppStatus = AppStatus.IN_SERVICE) -> ObservedApp:
    return ObservedApp(parse_app_key(f"main/{key}"), status, 1.0, spec)


def imported(
    *rows: ObservedApp, users: tuple[str, ...] = (), spaces: Mapping[str, tuple[str, str]] | None = None
) -> Imported:
    listed = {
        name: ObservedOwner(Owner("main", SPACE, name), "InService", 1.0, owner, sharing)
        for name, (owner, sharing) in (spaces or {}).items()
    }
    found = Found("main", "d-abcd1234efgh", "eu-west-1", "1" * 12, {one.key: one for one in rows}, users, listed)
    return import_fleet("fleet", [found])


def domain_of(result: Imported) -> dict[str, Any]:
    domain: dict[str, Any] = result.document["domains"]["main"]
    return domain


def lab(owner: str) -> ObservedApp:
    return row(f"space/{owner}-lab/JupyterLab/default")


def private(*owners: str) -> dict[str, tuple[str, str]]:
    return {f"{owner}-lab": (owner, "Private") for owner in owners}


def test_people_who_have_the_same_are_a_team_and_need_no_tables() -> None:
    """Two labs of one shape come to one app, one `{member}` space and one list of members."""
    result = imported(lab("bob"), lab("alice"), users=("alice", "bob"), spaces=private("alice", "bob"))

    assert result.document["apps"] == {
        "jupyterlab-ml-t3-medium": {"type": "JupyterLab", "instance_type": "ml.t3.medium"}
    }
    assert domain_of(result)["teams"] == {
        "team-1": {"members": ["alice", "bob"], "spaces": {"{member}-lab": {"apps": ["jupyterlab-ml-t3-medium"]}}}
    }
    assert "users" not in domain_of(result)
    assert "spaces" not in domain_of(result)


def test_who_has_more_than_a_team_joins_it_and_has_the_rest_in_tables_of_their_own() -> None:
    """The user app and the second space stand beside the team."""
    extra = (row("user/carol/Canvas/default", AppSpec()), row("space/carol-gpu/JupyterLab/default", G5))
    spaces = {**private("alice", "bob", "carol"), "carol-gpu": ("carol", "Private")}
    result = imported(lab("alice"), lab("bob"), lab("carol"), *extra, users=("alice", "bob", "carol"), spaces=spaces)

    domain = domain_of(result)
    assert domain["teams"]["team-1"]["members"] == ["alice", "bob", "carol"]
    assert domain["users"] == {"carol": {"apps": ["canvas"]}}
    assert domain["spaces"] == {"carol-gpu": {"owner": "carol", "apps": ["jupyterlab-ml-g5-xlarge"]}}


def test_what_only_one_person_has_keeps_nobody_out_of_a_team() -> None:
    """Kernels have names of their own almost everywhere, and the labs are the same for all that."""
    kernels = [row(f"user/{person}/KernelGateway/k-{person}") for person in ("alice", "bob")]
    result = imported(lab("alice"), lab("bob"), *kernels, users=("alice", "bob"), spaces=private("alice", "bob"))

    domain = domain_of(result)
    assert domain["teams"]["team-1"] == {
        "members": ["alice", "bob"],
        "spaces": {"{member}-lab": {"apps": ["jupyterlab-ml-t3-medium"]}},
    }
    assert domain["users"]["bob"] == {"apps": [{"use": "kernelgateway-ml-t3-medium", "name": "k-bob"}]}
    assert "spaces" not in domain


def test_people_who_have_one_thing_in_common_and_differ_in_the_rest_are_a_team_of_that() -> None:
    """Nobody has the same as another here; and a thing whose other holders are elsewhere makes no team of one."""
    rows = [lab(person) for person in ("alice", "bob", "carol")]
    rows += [row(f"user/{person}/Canvas/default", AppSpec()) for person in ("alice", "dave")]
    rows += [row(f"user/{person}/TensorBoard/default", AppSpec()) for person in ("bob", "dave")]
    users = ("alice", "bob", "carol", "dave")
    result = imported(*rows, users=users, spaces=private("alice", "bob", "carol"))

    domain = domain_of(result)
    assert domain["teams"] == {
        "team-1": {
            "members": ["alice", "bob", "carol"],
            "spaces": {"{member}-lab": {"apps": ["jupyterlab-ml-t3-medium"]}},
        }
    }
    assert domain["users"] == {
        "alice": {"apps": ["canvas"]},
        "bob": {"apps": ["tensorboard"]},
        "dave": {"apps": ["canvas", "tensorboard"]},
    }


@pytest.mark.parametrize(
    ("form", "pattern"),
    [
        ("{}-lab", "{member}-lab"),
        ("banana-{}", "banana-{member}"),
        ("{}1lab", "{member}1lab"),
        ("lab{}", "lab{member}"),
        ("{}-{}", "{member}-{}"),
    ],
)
def test_a_member_stands_in_a_spaces_name_as_a_word_or_at_an_end(form: str, pattern: str) -> None:
    """As a person would write it; the first word where there are several."""
    spaces = {form.replace("{}", "a"): ("a", "Private")}
    more = {pattern.replace("{member}", "b").replace("{}", "a"): ("b", "Private")}
    rows = [row(f"space/{name}/JupyterLab/default") for name in (*spaces, *more)]

    domain = domain_of(imported(*rows, users=("a", "b"), spaces=spaces | more))

    assert list(domain["teams"]["team-1"]["spaces"]) == [pattern.replace("{}", "a")]


def test_a_name_inside_a_word_is_no_pattern() -> None:
    """Nobody would write `l{member}b`."""
    spaces = {"xax": ("a", "Private"), "xbx": ("b", "Private")}
    rows = [row(f"space/{name}/JupyterLab/default") for name in spaces]

    domain = domain_of(imported(*rows, users=("a", "b"), spaces=spaces))

    assert list(domain["spaces"]) == ["xax", "xbx"]


def test_who_is_alone_has_a_user_table_and_a_space_with_its_owner() -> None:
    """An owner has a table even without apps, since a space cannot name an owner whom nobody declares."""
    result = imported(lab("alice"), users=("alice",), spaces={"alice-lab": ("Alice", "Private")})

    assert domain_of(result)["users"] == {"alice": {}}
    assert domain_of(result)["spaces"]["alice-lab"]["owner"] == "alice"


def test_a_shared_space_says_so() -> None:
    """Private is what a space is unless something else is written."""
    result = imported(row("space/pool/JupyterLab/default"), users=("alice",), spaces={"pool": ("alice", "Shared")})

    assert domain_of(result)["spaces"] == {
        "pool": {"owner": "alice", "sharing": "Shared", "apps": ["jupyterlab-ml-t3-medium"]}
    }


def test_a_name_that_several_have_is_part_of_the_app_and_a_lone_one_of_the_entry() -> None:
    """So that most lists hold names alone."""
    result = imported(
        row("user/alice/KernelGateway/nightly"),
        row("user/bob/KernelGateway/nightly"),
        row("user/bob/KernelGateway/k7"),
        row("user/carol/KernelGateway/nightly"),
    )

    assert result.document["apps"] == {
        "kernelgateway-ml-t3-medium": {"type": "KernelGateway", "instance_type": "ml.t3.medium"},
        "kernelgateway-ml-t3-medium-nightly": {
            "type": "KernelGateway",
            "name": "nightly",
            "instance_type": "ml.t3.medium",
        },
    }
    assert domain_of(result)["teams"]["team-1"]["user_apps"] == ["kernelgateway-ml-t3-medium-nightly"]
    assert domain_of(result)["users"] == {"bob": {"apps": [{"use": "kernelgateway-ml-t3-medium", "name": "k7"}]}}


def test_shapes_that_would_have_one_name_are_numbered_the_most_used_first() -> None:
    """The number tells them apart, and the same domain always gives the same."""
    image = AppSpec(instance_type="ml.t3.medium", image_arn="arn:aws:sagemaker:eu-west-1:111122223333:image/ds")
    result = imported(row("user/a/Canvas/default", image), row("user/b/Canvas/default"), row("user/c/Canvas/default"))

    assert "image_arn" not in result.document["apps"]["canvas-ml-t3-medium"]
    assert result.document["apps"]["canvas-ml-t3-medium-2"]["image_arn"] == image.image_arn


def test_an_alias_stands_for_the_version_that_it_chose() -> None:
    """Both together would pin what the alias is there to move."""
    spec = AppSpec(
        image_version_arn="arn:aws:sagemaker:eu-west-1:111122223333:image-version/ds/1", image_version_alias="1.0.0"
    )

    result = imported(row("user/a/Canvas/default", spec))

    assert result.document["apps"] == {"canvas": {"type": "Canvas", "image_version_alias": "1.0.0"}}


@pytest.mark.parametrize(
    ("rows", "spaces", "why"),
    [
        ([row("user/a/Canvas/default", status=AppStatus.FAILED)], {}, "the app is Failed"),
        ([row("user/a/Brandnew/default")], {}, "does not know the app type Brandnew"),
        ([row("user/a b/Canvas/default")], {}, "a fleet file does not allow the name"),
        ([row("user/a/Canvas/default"), row("user/A/Canvas/default")], {}, "differ only in case"),
        ([row("user/a/JupyterLab/default")], {}, "runs in spaces only"),
        ([row("user/a/JupyterServer/default")], {}, "runs on system only"),
        ([row("space/s/JupyterLab/default")], {}, "not in the listing of spaces"),
        ([row("space/s/JupyterLab/default")], {"s": ("", "Private")}, "its space has no owner"),
        ([row("space/s/JupyterLab/default")], {"s": ("gone", "Private")}, "not in the listing of user profiles"),
        ([row("space/s/JupyterLab/default")], {"s": ("owner", "")}, "does not show whether it is private"),
        ([row("space/s/JupyterLab/a"), row("space/s/JupyterLab/b")], {"s": ("owner", "Private")}, "several apps"),
    ],
)
def test_what_a_fleet_file_cannot_say_is_left_out_and_named(
    rows: list[ObservedApp], spaces: dict[str, tuple[str, str]], why: str
) -> None:
    """Never silently."""
    result = imported(*rows, users=("owner",), spaces=spaces)

    assert result.keys == frozenset()
    ((told, names),) = result.left_out.items()
    assert why in told
    assert sorted(names) == sorted("/".join(one.key[1:]) for one in rows)
    assert "apps" not in result.document


def test_the_same_fault_of_many_is_told_once() -> None:
    """A thousand apps that cannot be said are a line, and not a thousand."""
    result = imported(*(row(f"user/{person}/JupyterLab/default") for person in ("alice", "bob")))

    assert result.left_out == {
        "JupyterLab runs in spaces only, and its owner is a user profile": (
            "user/alice/JupyterLab/default",
            "user/bob/JupyterLab/default",
        )
    }


def test_a_field_in_no_form_of_a_fleet_file_is_not_declared_and_named() -> None:
    """The app stays: what is not declared is never compared."""
    odd = AppSpec(
        instance_type="odd", lifecycle_config_arn="arn:aws:sagemaker:x:111122223333:studio-lifecycle-config/\u202e"
    )

    result = imported(row("user/a/Canvas/default", odd))

    assert result.document["apps"] == {"canvas": {"type": "Canvas"}}
    assert [why.split(" ", 1)[0] for why in result.left_out] == ["instance_type", "lifecycle_config_arn"]


PLAN = "arn:aws:sagemaker:eu-west-1:111111111111:training-plan/p5-week-50"


def test_an_app_on_a_training_plan_is_declared_on_it_and_one_of_another_place_is_not() -> None:
    spec = AppSpec("ml.p5.48xlarge", training_plan_arn=PLAN)
    elsewhere = replace(spec, training_plan_arn=PLAN.replace("1" * 12, "444455556666"))
    detached = AppSpec(training_plan_arn="None")
    result = imported(
        row("space/a-lab/JupyterLab/default", spec),
        row("space/a-two/JupyterLab/default", elsewhere),
        row("user/a/Canvas/default", detached),
        users=("a",),
        spaces={"a-lab": ("a", "Private"), "a-two": ("a", "Private")},
    )
    apps = list(result.document["apps"].values())
    assert {app.get("training_plan_arn") for app in apps if app["type"] == "JupyterLab"} == {None, PLAN}
    assert [app for app in apps if app["type"] == "Canvas"] == [{"type": "Canvas"}]
    assert [why.split(" ", 1)[0] for why in result.left_out] == ["training_plan_arn"]


def test_profiles_and_spaces_without_an_app_are_counted() -> None:
    """They are not in the file."""
    result = imported(lab("alice"), users=("alice", "bob"), spaces=private("alice", "bob"))

    assert result.bare_owners == 2


def test_the_text_is_in_the_order_in_which_people_read_and_long_lists_are_broken() -> None:
    """Domain, apps, then who has them; and it reads back as the document."""
    users = tuple(f"person-{number:03}" for number in range(40))
    result = imported(*map(lab, users), users=users, spaces=private(*users))

    text = fleet_text("From here.\nAnd there.", result.document)

    assert text.startswith("# From here.\n# And there.\n\nschema = 1\n")
    headers = [line for line in text.splitlines() if line.startswith("[")]
    assert headers == [
        "[domains.main]",
        "[apps.jupyterlab-ml-t3-medium]",
        "[domains.main.teams.team-1]",
        '[domains.main.teams.team-1.spaces."{member}-lab"]',
    ]
    assert max(map(len, text.splitlines())) < 110
    assert tomllib.loads(text) == result.document


def test_an_app_with_a_name_of_its_own_stands_on_a_line_beside_those_without() -> None:
    """As people write it: names and tables in one list."""
    result = imported(row("user/a/Canvas/default", AppSpec()), row("user/a/KernelGateway/k1"))

    text = fleet_text("", result.document)

    assert 'apps = ["canvas", { use = "kernelgateway-ml-t3-medium", name = "k1" }]\n' in text
    assert tomllib.loads(text) == result.document


def test_quotes_and_backslashes_are_written_as_they_are_read() -> None:
    """What a service lets stand in a name is declared as any other."""
    odd = 'arn:aws:sagemaker:x:111122223333:studio-lifecycle-config/\\x41"'

    result = imported(row("user/a/Canvas/default", AppSpec(lifecycle_config_arn=odd)))

    assert result.left_out == {}
    text = fleet_text("", result.document)
    assert [app["lifecycle_config_arn"] for app in tomllib.loads(text)["apps"].values()] == [odd]


def test_a_text_that_reads_back_otherwise_is_a_bug() -> None:
    """A part that is left out of the text; nobody gets what is not the document."""
    with pytest.raises(BugError, match="reads back otherwise"):
        fleet_text("", {"name": "a", "domains": {}})
