"""Policies of an organization: what the fleet's own files cannot loosen, and what holds where both set something."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.config.policy.policy_file import channels_in, load_policies
from engine.core.errors import PolicyError, UsageError
from engine.core.limits import NOTIFY_CHANNELS_MAX_COUNT
from engine.core.settings import Settings
from engine.policy.judge import Verdict
from tests.fleets import LAB, TODAY, an_app
from tests.unit.policy.helpers import DOMAINS

if TYPE_CHECKING:
    from engine.config.policy.policy_file import LoadedPolicies

RULE = """
[[rule]]
id = "approved"
enforcement = "mandatory"
check = 'instance_type == "ml.t3.medium"'
"""


def loaded(folder: Path, own: str, *organization: str) -> LoadedPolicies:
    """Read `own` as the fleet's policy, and each other text as the policy of an organization's folder."""
    (folder / "fleet").mkdir(exist_ok=True)
    (folder / "fleet" / "own.toml").write_text(own)
    folders = [folder / f"org{number}" for number in range(len(organization))]
    for above, text in zip(folders, organization, strict=True):
        above.mkdir(exist_ok=True)
        (above / "bounds.toml").write_text(text)
    return load_policies([Path("own.toml")], folder / "fleet", folders)


def refused(folder: Path, own: str, *organization: str) -> list[str]:
    with pytest.raises(PolicyError) as raised:
        loaded(folder, own, *organization)
    return [problem.render().replace(f"{folder}/", "") for problem in raised.value.diagnostics]


def said(found: LoadedPolicies, folder: Path) -> list[str]:
    return [warning.render().replace(f"{folder}/", "") for warning in found.warnings]


@pytest.mark.parametrize(
    ("key", "own", "theirs", "held"),
    [
        ("execution.create_rate", "1.5", "1.0", 1.0),
        ("execution.create_rate_max", "30.0", "10.0", 10.0),
        ("execution.read_rate", "4.0", "10.0", 4.0),
        ("execution.concurrency", "20", "8", 8),
        ("execution.settle_timeout", '"30m"', '"10m"', 600.0),
        ("execution.deadline", '"1h"', '"2h"', 3600.0),
        ("safety.replace", '"on-drift"', '"never"', "never"),
        ("safety.replace", '"never"', '"on-drift"', "never"),
        ("safety.prune", "true", "false", False),
        ("safety.prune", "true", "true", True),
        ("safety.destroy_max", "50", "20", 20),
        ("safety.destroy_share_max", "0.5", "0.1", 0.1),
        ("safety.destroy_floor", "100", "20", 20),
        ("safety.quarantine_after", "9", "2", 2),
        ("safety.hours_stop_max", "900", "100", 100),
        ("safety.replace_wave", "100", "5", 5),
        ("safety.create_max", "10", "100", 10),
        ("safety.hourly_usd_max", "50.0", "10.0", 10.0),
        ("safety.spare_active", '"10m"', '"1h"', 3600.0),
        ("safety.spare_active", '"2h"', '"1h"', 7200.0),
        ("tolerance.canary", "false", "true", True),
        ("tolerance.failures_max", "2", "8", 8),
        ("owners.create", "true", "false", False),
        ("observe.first_after", '"20s"', '"8s"', 8.0),
    ],
)
def test_the_stricter_limit_holds_and_of_everything_else_the_organizations(
    tmp_path: Path, key: str, own: str, theirs: str, held: Any
) -> None:
    """Whoever loosens a bound in the fleet's files reads it at its line; whoever tightens one is left alone."""
    table, name = key.split(".")
    found = loaded(tmp_path, f"[{table}]\n{name} = {own}\n", f"[{table}]\n{name} = {theirs}\n")
    settings: dict[str, Any] = {
        "owners.create": found.settings.create_owners,
        "safety.replace": "on-drift" if found.settings.safety.replace_on_drift else "never",
    }
    value = settings[key] if key in settings else getattr(getattr(found.settings, table), name)
    assert value == held
    is_theirs = "org0" in found.sources[key].file
    assert found.of_organization == (frozenset({key}) if is_theirs else frozenset())
    warned = [line for line in said(found, tmp_path) if key in line]
    message = (
        f"fleet/own.toml:2: warning: {key}: is {own.removesuffix('.0')}, and the organization's "
        f"{theirs.removesuffix('.0')} holds (org0/bounds.toml:2). Set a value that the organization allows"
    )
    assert warned == ([message] if is_theirs else [])


def test_a_bound_holds_where_the_fleet_says_nothing_and_a_stricter_default_stays(tmp_path: Path) -> None:
    text = '[execution]\ncreate_rate_max = 1.0\ndeadline = "9h"\n[safety]\nhourly_usd_max = 40.0\ncreate_max = 9999\n'
    found = loaded(tmp_path, "[safety]\n", text)
    execution, safety, default = found.settings.execution, found.settings.safety, Settings()
    assert (execution.create_rate, execution.create_rate_max) == (1.0, 1.0)
    assert (execution.deadline, safety.create_max) == (default.execution.deadline, default.safety.create_max)
    assert safety.hourly_usd_max == 40.0
    assert sorted(found.sources) == ["execution.create_rate", "execution.create_rate_max", "safety.hourly_usd_max"]


@pytest.mark.parametrize(
    ("own", "above", "first", "longest"),
    [
        ("", 'max = "500ms"', 0.5, 0.5),
        ('initial = "8s"', 'max = "5s"', 5.0, 5.0),
        ('max = "10s"', 'initial = "40s"', 40.0, 40.0),
        ('initial = "2s"', 'max = "5s"', 2.0, 5.0),
    ],
)
def test_a_wait_of_the_organization_alone_does_not_break_the_fleets_other_one(
    tmp_path: Path, own: str, above: str, first: float, longest: float
) -> None:
    head = "[backoff.transient]\n"
    found = loaded(tmp_path, f"{head}{own}\n", f"{head}{above}\n")
    assert (found.settings.backoffs.transient.initial, found.settings.backoffs.transient.max) == (first, longest)


def test_freezes_of_both_hold_and_both_are_notified(tmp_path: Path) -> None:
    own = '[safety]\nfreeze = ["Fri 16:00-Mon 06:00"]\n[[notify]]\ncommand = ["own"]\n'
    above = '[safety]\nfreeze = ["2026-12-20/2027-01-03"]\n[[notify]]\ncommand = ["theirs"]\n'
    found = loaded(tmp_path, own, above)
    assert len(found.settings.safety.freeze) == 2
    assert [channel.command for channel in found.settings.notify] == [("own",), ("theirs",)]
    assert said(found, tmp_path) == []
    told = channels_in([Path("own.toml")], tmp_path / "fleet", [tmp_path / "org0"])
    assert [channel.command for channel in told] == [("own",), ("theirs",)]
    assert len(channels_in([Path("own.toml")], tmp_path / "fleet", [tmp_path / "gone"])) == 1


def test_no_price_of_the_fleet_comes_before_one_of_the_organizations(tmp_path: Path) -> None:
    """A price of a region would otherwise make cheap what the organization prices for all regions."""
    own = (
        '[prices]\n"ml.g5.xlarge" = 0.0\n"Canvas" = 1.9\n"ml.m5.large" = 0.2\n'
        '[prices.eu-west-1]\n"ml.g5.xlarge" = 0.0\n"ml.t3.medium" = 0.05\n'
    )
    above = '[prices]\n"ml.g5.xlarge" = 1.4\n"Canvas" = 1.9\n[prices.eu-west-1]\n"ml.m5.large" = 0.25\n'
    found = loaded(tmp_path, own, above)
    assert found.settings.prices == (
        ("", "Canvas", 1.9),
        ("", "ml.g5.xlarge", 1.4),
        ("", "ml.m5.large", 0.2),
        ("eu-west-1", "ml.m5.large", 0.25),
        ("eu-west-1", "ml.t3.medium", 0.05),
    )
    (warning,) = said(found, tmp_path)
    assert "2 prices of this file are not used: the organization has other prices for these types" in warning


@pytest.mark.parametrize("enforcement", ["disabled", "advisory"])
def test_a_rule_of_the_organization_is_neither_disabled_nor_defined_again(tmp_path: Path, enforcement: str) -> None:
    own = RULE.replace("mandatory", enforcement)
    (problem,) = refused(tmp_path, own, RULE)
    assert problem == (
        'fleet/own.toml:3: rule[0].id: rule "approved" is defined already at org0/bounds.toml:2. Ask the owner of the '
        "organization's policies: this fleet can neither change nor disable the rule"
    )


def test_the_fleet_makes_no_exception_of_a_rule_of_the_organization_which_may_make_its_own(tmp_path: Path) -> None:
    exception = '[[exception]]\nrule = "approved"\nmatch = "true"\nreason = "paper"\nexpires = 2099-12-31\n'
    (problem,) = refused(tmp_path, exception, RULE)
    assert 'rule "approved" (org0/bounds.toml:2) is the organization\'s, and has no exceptions here' in problem
    found = loaded(tmp_path, "", RULE + exception)
    (verdict,) = found.admission.verdicts(an_app(LAB, "ml.g5.xlarge"), DOMAINS[1], TODAY)
    assert (verdict.verdict, verdict.rule.is_organizations) == (Verdict.EXEMPT, True)


def test_remediations_of_the_organization_see_what_those_of_the_fleet_left(tmp_path: Path) -> None:
    own = (
        '[[rule]]\nid = "to-gpu"\nenforcement = "remediate"\nmatch = \'instance_type == "ml.m5.large"\'\n'
        'set = { lifecycle_config_arn = "None" }\n'
    )
    above = (
        '[[rule]]\nid = "no-script"\nenforcement = "remediate"\nmatch = \'lifecycle_config_arn == "None"\'\n'
        'set = { tags = { script = "none" } }\n'
    )
    found = loaded(tmp_path, own, above)
    assert [rule.id for rule in found.rules] == ["to-gpu", "no-script"]
    (app,) = found.admission.admit([an_app(LAB, "ml.m5.large")], DOMAINS, TODAY).apps
    assert app.spec.tags == (("script", "none"),)


def test_a_remediation_of_the_fleet_cannot_undo_one_of_the_organization(tmp_path: Path) -> None:
    text = '[[rule]]\nid = "ID"\nenforcement = "remediate"\nset = { instance_type = "TYPE" }\n'
    own = text.replace("ID", "large").replace("TYPE", "ml.g5.xlarge")
    found = loaded(tmp_path, own, text.replace("ID", "small").replace("TYPE", "ml.t3.medium"))
    with pytest.raises(PolicyError) as raised:
        found.admission.admit([an_app()], DOMAINS, TODAY)
    (problem,) = raised.value.diagnostics
    assert problem.hint == "Narrow the match of rule large: this fleet cannot change the organization's"


def test_a_folder_that_may_not_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_: Path) -> bool:
        raise PermissionError

    monkeypatch.setattr(Path, "is_dir", denied)
    with pytest.raises(UsageError, match="cannot be read"):
        load_policies([], tmp_path, [tmp_path])


def test_the_first_folder_bounds_the_others(tmp_path: Path) -> None:
    found = loaded(
        tmp_path,
        "[safety]\ncreate_max = 90\n",
        "[safety]\ncreate_max = 50\n[tolerance]\ncanary = true\n",
        "[safety]\ncreate_max = 70\n[tolerance]\ncanary = false\n",
    )
    assert (found.settings.safety.create_max, found.settings.tolerance.canary) == (50, True)
    assert found.bounds["safety.create_max"].value == 50
    assert [name for name, _ in found.inputs] == [
        "organization-2//bounds.toml",
        "organization//bounds.toml",
        "own.toml",
    ]


@pytest.mark.parametrize("order", [("true", "false"), ("false", "true"), ("false", "false")])
def test_of_several_folders_the_strictest_bounds_the_flags(tmp_path: Path, order: tuple[str, str]) -> None:
    """A second folder that forbids `--prune` is not undone by a first one that allows it."""
    texts = [f"[safety]\nprune = {prune}\n" for prune in order]
    found = loaded(tmp_path, "[safety]\nprune = true\n", *texts)
    assert found.bounds["safety.prune"].value is False
    assert found.settings.safety.prune is False
    assert found.of_organization == {"safety.prune"}


def test_a_folder_whose_files_say_nothing_is_refused_as_one_without_files(tmp_path: Path) -> None:
    """A file that was cut off must not look like an organization without policies."""
    said_of_it = refused(tmp_path, "[safety]\n", "# nothing\n")
    assert [line.partition(": no policy file of this folder")[0] for line in said_of_it] == ["org0/bounds.toml:1"]
    (tmp_path / "org0" / "more.toml").write_text("[safety]\nprune = false\n")
    assert loaded(tmp_path, "", "").bounds["safety.prune"].value is False


def test_a_broken_fleet_with_many_channels_still_notifies_the_organization(tmp_path: Path) -> None:
    own = "".join(f'[[notify]]\ncommand = ["own-{number}"]\n' for number in range(NOTIFY_CHANNELS_MAX_COUNT + 5))
    refused(tmp_path, own, '[[notify]]\ncommand = ["theirs"]\n')
    told = channels_in([Path("own.toml")], tmp_path / "fleet", [tmp_path / "org0"])
    assert len(told) == NOTIFY_CHANNELS_MAX_COUNT
    assert told[-1].command == ("theirs",)


def test_what_is_wrong_in_the_folders_is_said_with_everything_else(tmp_path: Path) -> None:
    rates = "[execution]\ncreate_rate = 9.0\ncreate_rate_max = 3.0\n"
    assert [line.split(":")[0] for line in refused(tmp_path, rates, f"{rates}[safty]\n")] == [
        "fleet/own.toml",
        "org0/bounds.toml",
        "org0/bounds.toml",
    ]
    assert len(refused(tmp_path, "[execution]\ncreate_rate = 30.0\n", "[safety]\nprune = true\n")) == 1


def test_a_folder_that_is_missing_a_file_or_without_policies_is_refused(tmp_path: Path) -> None:
    """A mount that failed must not look like an organization without policies."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "a.test.toml").write_text("")
    (tmp_path / "file").write_text("")
    for name, why in (("gone", "does not exist"), ("file", "is a file"), ("empty", "holds no policy file")):
        with pytest.raises(UsageError, match=rf"--policies .*{name} {why}"):
            load_policies([], tmp_path, [tmp_path / name])
    (tmp_path / "empty" / "a.toml").write_text(RULE)
    twice = load_policies([], tmp_path, [tmp_path / "empty", tmp_path / "." / "empty"])
    assert [rule.id for rule in twice.rules] == ["approved"]
