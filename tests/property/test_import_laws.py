"""Whatever is in a domain: its imported file is valid, declares what it says it does, and plans to nothing."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.app.import_domain import ImportAsked, checked
from engine.config.fleet.fleet_file import load_fleet
from engine.config.fleet.imported import import_fleet
from engine.config.fleet.imported_rows import Found
from engine.core.desired import AppSpec
from engine.core.identity import SPACE, USER, AppKey, Owner
from engine.core.observed import AppStatus, ObservedApp, ObservedOwner
from engine.core.owner_settings import declared_settings, laid_over
from engine.core.owners import declared_owners

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

    from engine.core.identity import OwnerKind

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
ASKED = ImportAsked("d-abcd1234efgh", "eu-west-1", "imported", "main")
MADE_OF = ("imported", "domain d-abcd1234efgh in eu-west-1")
ARN = "arn:aws:sagemaker:eu-west-1:111122223333"
USERS = st.sampled_from(["alice", "Alice", "bob", "carol", "a", "dave", "domain-shared", "x" * 63])
SPACE_FORMS = st.sampled_from(
    ["{}-lab", "{}", "lab-{}", "{}-{}", "{}9", "x{}x", "shared", "a-b", "team\x1b[0m", '{}"x']
)
NAMES = st.sampled_from(["default", "nightly", "k1", "1.2", "", "a b", "[x]"])
TYPES = st.sampled_from(
    ["JupyterLab", "CodeEditor", "Canvas", "KernelGateway", "JupyterServer", "RStudioServerPro", "TensorBoard", "New"]
)
SPECS = st.builds(
    AppSpec,
    instance_type=st.sampled_from([None, "system", "ml.t3.medium", "ml.g5.xlarge", "ml.new9.large", "odd"]),
    image_arn=st.sampled_from([None, f"{ARN}:image/ds", "x"]),
    image_version_arn=st.sampled_from([None, "None", f"{ARN}:image-version/ds/1"]),
    image_version_alias=st.sampled_from([None, "1.2.3", "\x1b"]),
    lifecycle_config_arn=st.sampled_from(
        [None, "None", f"{ARN}:studio-lifecycle-config/a", f'{ARN}:studio-lifecycle-config/\\x41"\u202e']
    ),
    training_plan_arn=st.sampled_from([None, "None", f"{ARN}:training-plan/a", f"{ARN}:training-plan/a/b"]),
)


ROLE = "arn:aws:iam::111122223333:role"
RESOURCES = st.fixed_dictionaries(
    {},
    optional={
        "InstanceType": st.sampled_from(["ml.t3.medium", "ml.g5.xlarge", "odd"]),
        "SageMakerImageArn": st.just(f"{ARN}:image/ds"),
        "SageMakerImageVersionAlias": st.just("1.2.3"),
        "LifecycleConfigArn": st.sampled_from(["None", f"{ARN}:studio-lifecycle-config/a"]),
        "TrainingPlanArn": st.sampled_from(["None", f"{ARN}:training-plan/a"]),
    },
)
MINUTES = st.sampled_from([5, 60, 90, True])
IDLE = st.fixed_dictionaries(
    {}, optional={"IdleSettings": st.fixed_dictionaries({}, optional={"IdleTimeoutInMinutes": MINUTES})}
)
PARTS = st.fixed_dictionaries({}, optional={"DefaultResourceSpec": RESOURCES, "AppLifecycleManagement": IDLE})
SPACE_SETTINGS: SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "AppType": st.just("JupyterLab"),
        "JupyterLabAppSettings": PARTS,
        "CodeEditorAppSettings": PARTS,
        "SpaceStorageSettings": st.sampled_from(
            [{}, *({"EbsStorageSettings": {"EbsVolumeSizeInGb": size}} for size in (3, 5, 20, 50))]
        ),
        "RemoteAccess": st.sampled_from(["ENABLED", "brand new"]),
        "CustomFileSystems": st.sampled_from([[], [{"EFSFileSystem": {"FileSystemId": "fs-1"}}], [{}], None]),
        "Unheard": st.just("of"),
    },
)
USER_SETTINGS: SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "ExecutionRole": st.sampled_from([f"{ROLE}/a", f"{ROLE}/b", "odd", 7]),
        "SecurityGroups": st.sampled_from([[], ["sg-1", "sg-2"], ["sg-\u202e"], "sg-1"]),
        "StudioWebPortal": st.sampled_from(["ENABLED", "DISABLED", "x"]),
        "JupyterLabAppSettings": PARTS,
        "CustomPosixUserConfig": st.sampled_from([{"Uid": 10001, "Gid": 1001}, {"Uid": 10001}]),
        "SharingSettings": st.sampled_from([{"S3KmsKeyId": '"\\ \ud800'}, {"S3OutputPath": "s3://a'b/\"c"}]),
    },
)
IDENTITIES = st.sampled_from(["", "{}@example.com", "{}@example.com", "other@example.com", "{member}@x", "\x1b"])


@st.composite
def domains(draw: DrawFn) -> Found:
    """Return a domain as the service might tell of it, with names and words that it never should."""
    users = draw(st.lists(USERS, unique=True, max_size=7))
    spaces: dict[str, ObservedOwner] = {}
    apps: dict[AppKey, ObservedApp] = {}
    for user in users:
        for form in draw(st.lists(SPACE_FORMS, unique=True, max_size=3)):
            name = form.replace("{}", user)
            owner = draw(st.sampled_from([user, user, user, user.upper(), "", "gone"]))
            sharing = draw(st.sampled_from(["Private", "Private", "Shared", ""]))
            described = draw(st.none() | SPACE_SETTINGS)
            status = draw(st.sampled_from(["InService", "InService", "Failed", "Updating", "Deleting"]))
            where = Owner("main", SPACE, name)
            app_type = draw(st.sampled_from(["", "", "JupyterLab", "CodeEditor"]))
            spaces[name] = ObservedOwner(where, status, 1.0, owner, sharing, app_type, settings=described)
    profiles = {
        user: ObservedOwner(
            Owner("main", USER, user),
            draw(st.sampled_from(["InService", "InService", "Failed", "Pending"])),
            1.0,
            settings=draw(st.none() | USER_SETTINGS),
            sso_identity=draw(IDENTITIES).replace("{}", user),
        )
        for user in users
    }
    owners: list[tuple[OwnerKind, str]] = [(USER, user) for user in users]
    owners += [(SPACE, name) for name in (*spaces, "unlisted")]
    for kind, owner in owners:
        usual = st.sampled_from([[("JupyterLab", "default")], [("CodeEditor", "default")]])
        any_apps = st.lists(st.tuples(TYPES, NAMES), unique=True, max_size=3)
        for app_type, name in draw(any_apps if kind == USER else st.one_of(usual, any_apps)):
            key = AppKey("main", kind, owner, app_type, name)
            status = draw(st.sampled_from([AppStatus.IN_SERVICE] * 6 + list(AppStatus)))
            apps[key] = ObservedApp(key, status, 1.0, draw(SPECS))
    return Found("main", ASKED.domain_id, ASKED.region, "111122223333", apps, tuple(users), spaces, profiles)


def made_from(text: str) -> Found:
    """Return the domain that holds what a fleet file declares and nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fleet.toml"
        path.write_text(text, encoding="utf-8")
        fleet = load_fleet(path).fleet
    rows: dict[OwnerKind, dict[str, ObservedOwner]] = {USER: {}, SPACE: {}}
    for one in declared_owners(fleet, NOW.date()).values():
        plain = {"SpaceStorageSettings": {"EbsStorageSettings": {"EbsVolumeSizeInGb": 5}}}
        made = laid_over(plain if one.owner.kind == SPACE else {}, declared_settings(one))
        rows[one.owner.kind][one.owner.name] = ObservedOwner(
            one.owner,
            "InService",
            1.0,
            one.owner_user or "",
            one.sharing,
            one.app_type or "",
            settings=made,
            sso_identity=one.sso_identity or "",
        )
    apps = {app.key: ObservedApp(app.key, AppStatus.IN_SERVICE, 1.0, app.spec) for app in fleet.apps}
    users = tuple(sorted(rows[USER]))
    return Found("main", ASKED.domain_id, ASKED.region, "111122223333", apps, users, rows[SPACE], rows[USER])


@given(domains())
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_a_domain_that_is_made_from_an_imported_file_is_imported_to_the_same_file(found: Found) -> None:
    """Byte for byte: what the file says of a domain is enough to make it, and nothing is said in two ways."""
    text = checked(*MADE_OF, [found], NOW).text

    assert checked(*MADE_OF, [made_from(text)], NOW).text == text


@given(domains())
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_domain_is_imported_to_a_file_that_plans_to_nothing(found: Found) -> None:
    """`checked` raises where it does not; every row is either declared or left out with a reason."""
    result = checked(*MADE_OF, [found], NOW)

    left = {name for names in result.imported.left_out.values() for name in names}
    declared = {"/".join(key[1:]) for key in result.imported.keys}
    assert declared | left == {"/".join(key[1:]) for key in found.apps}
    live = (AppStatus.IN_SERVICE, AppStatus.PENDING)
    assert all(found.apps[key].status in live for key in result.imported.keys)


@given(domains(), st.randoms(use_true_random=False))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_the_order_of_the_listings_changes_nothing(found: Found, chance: object) -> None:
    """The same domain gives the same bytes."""
    shuffle = getattr(chance, "shuffle")  # noqa: B009 - hypothesis gives no public type for it
    apps, users, spaces = list(found.apps.items()), list(found.users), list(found.spaces.items())
    profiles = list(found.profiles.items())
    for listed in (apps, users, spaces, profiles):
        shuffle(listed)
    again = replace(found, apps=dict(apps), users=tuple(users), spaces=dict(spaces), profiles=dict(profiles))

    assert import_fleet("x", [again]) == import_fleet("x", [found])
