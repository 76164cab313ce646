"""Whatever is in a domain: its imported file is valid, declares what it says it does, and plans to nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.app.import_domain import ImportAsked, checked
from engine.config.fleet.imported import Found, import_fleet
from engine.core.desired import AppSpec
from engine.core.identity import SPACE, USER, AppKey, Owner
from engine.core.observed import AppStatus, ObservedApp, ObservedOwner

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

    from engine.core.identity import OwnerKind

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
ASKED = ImportAsked("d-abcd1234efgh", "eu-west-1", "imported", "main")
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
)


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
            spaces[name] = ObservedOwner(Owner("main", SPACE, name), "InService", 1.0, owner, sharing)
    owners: list[tuple[OwnerKind, str]] = [(USER, user) for user in users]
    owners += [(SPACE, name) for name in (*spaces, "unlisted")]
    for kind, owner in owners:
        for app_type, name in draw(st.lists(st.tuples(TYPES, NAMES), unique=True, max_size=3)):
            key = AppKey("main", kind, owner, app_type, name)
            status = draw(st.sampled_from([AppStatus.IN_SERVICE] * 6 + list(AppStatus)))
            apps[key] = ObservedApp(key, status, 1.0, draw(SPECS))
    return Found("main", ASKED.domain_id, ASKED.region, "111122223333", apps, tuple(users), spaces)


@given(domains())
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_domain_is_imported_to_a_file_that_plans_to_nothing(found: Found) -> None:
    """`checked` raises where it does not; every row is either declared or left out with a reason."""
    result = checked(ASKED, found, NOW)

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
    for listed in (apps, users, spaces):
        shuffle(listed)
    again = Found(found.domain, found.domain_id, found.region, found.account, dict(apps), tuple(users), dict(spaces))

    assert import_fleet("x", again) == import_fleet("x", found)
