"""Quota names, the messages that speak of them and the command that raises one."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import QuotaFacts
from engine.core.quota_text import (
    bucket_of_quota,
    increase_command,
    is_quota_message,
    parse_quota_message,
    quota_hint,
    quota_name,
)

LAB_MEDIUM = "Studio JupyterLab Apps running on ml.t3.medium instances"

MESSAGES = {
    "plural name, support tail": (
        (
            f"The account-level service limit '{LAB_MEDIUM}' is 2 Apps, with current utilization of 2 Apps and a "
            "request delta of 1 Apps. Please contact AWS support to request an increase for this limit."
        ),
        QuotaFacts(quota=LAB_MEDIUM, value=2, used=2, requested=1),
    ),
    "singular name, quotas tail": (
        (
            "The account-level service limit 'Studio KernelGateway Apps running on ml.g4dn.xlarge instance' is 0 Apps, "
            "with current utilization of 0 Apps and a request delta of 1 Apps. Please use AWS Service Quotas to "
            "request an increase for this quota. If AWS Service Quotas is not available, contact AWS support."
        ),
        QuotaFacts(quota="Studio KernelGateway Apps running on ml.g4dn.xlarge instance", value=0, used=0, requested=1),
    ),
    "unit of two words": (
        (
            "The account-level service limit 'Maximum trial components, in all experiments' is 1,000 Trial Components, "
            "with current utilization of 1,000 Trial Components and a request delta of 2 Trial Components."
        ),
        QuotaFacts(quota="Maximum trial components, in all experiments", value=1000, used=1000, requested=2),
    ),
    "no quoted name": (
        "The account-level service limit is 0 Apps, with current utilization of 0 Apps and a request delta of 1 Apps.",
        QuotaFacts(value=0, used=0, requested=1),
    ),
    "account- service limit": (
        (
            "The account- service limit 'Total domains' is 1 Domains, with current utilization of 1 Domains and a "
            "request delta of 1 Domains. Only 1 Domains is supported."
        ),
        QuotaFacts(quota="Total domains", value=1, used=1, requested=1),
    ),
    "value alone": (
        "The account-level service limit 'Total domains' is 1 Domains. Only 1 Domains is supported.",
        QuotaFacts(quota="Total domains", value=1),
    ),
    "context tail and line breaks": (
        (
            "The account-level service limit\n'Total domains'  is 3 NotebookInstances, with current utilization of 3 "
            "NotebookInstances and a request delta of 1 NotebookInstances (Context: RequestId: 1-2, Date: 3)"
        ),
        QuotaFacts(quota="Total domains", value=3, used=3, requested=1),
    ),
    "no tail at all": ("service limit 'Q' is 5 Instances", QuotaFacts(quota="Q", value=5)),
    "per user": (
        (
            "Unable to start more Apps of AppType [KernelGateway] and ResourceSpec(instanceType=[ml.m5.large]) for "
            "UserProfile [alice]. Please delete an App with a matching AppType and ResourceSpec, then try again"
        ),
        QuotaFacts(user_profile="alice", app_type="KernelGateway", instance_type="ml.m5.large"),
    ),
    "per user, without the rest": (
        "Unable to start more Apps of AppType [KernelGateway]",
        QuotaFacts(app_type="KernelGateway"),
    ),
}


@pytest.mark.parametrize(("message", "facts"), MESSAGES.values(), ids=MESSAGES.keys())
def test_every_known_form_of_the_message_is_read(message: str, facts: QuotaFacts) -> None:
    assert parse_quota_message(message) == facts
    assert is_quota_message(message)


def test_an_unknown_form_gives_empty_facts() -> None:
    assert parse_quota_message("you have too many things") == QuotaFacts()
    assert not is_quota_message("you have too many things")
    assert is_quota_message("ResourceLimitExceeded: something new")


def test_a_number_that_no_quota_has_is_not_read() -> None:
    assert parse_quota_message("limit 'Q' is " + "9" * 5000 + " Apps.") == QuotaFacts()


@pytest.mark.parametrize(
    ("name", "bucket"),
    [
        (LAB_MEDIUM, ("JupyterLab", "ml.t3.medium")),
        ("Studio KernelGateway Apps running on ml.t3.medium instance", ("KernelGateway", "ml.t3.medium")),
        ("RSessionGateway Apps running on ml.m5.large instance", ("RSessionGateway", "ml.m5.large")),
        ("KernelGateway Apps running on ml.t3.medium instances", ("KernelGateway", "ml.t3.medium")),
        ("Maximum number of running Studio apps allowed per account", None),
        (LAB_MEDIUM + " ", None),
        ("", None),
    ],
)
def test_a_per_type_quota_names_its_bucket(name: str, bucket: tuple[str, str] | None) -> None:
    assert bucket_of_quota(name) == bucket


@pytest.mark.parametrize("app_type", ["JupyterLab", "CodeEditor", "KernelGateway", "RSessionGateway"])
def test_the_name_made_for_a_bucket_names_that_bucket(app_type: str) -> None:
    assert bucket_of_quota(quota_name(app_type, "ml.g5.xlarge")) == (app_type, "ml.g5.xlarge")


def test_no_name_is_made_up() -> None:
    assert quota_name("Canvas", "system") == ""
    assert quota_name("JupyterLab", "") == ""


def test_a_quota_with_a_known_code_is_raised_by_its_code() -> None:
    assert increase_command(LAB_MEDIUM, region="eu-west-1", used=3, waiting=4) == (
        "aws service-quotas request-service-quota-increase --service-code sagemaker "
        "--quota-code L-71FAF417 --desired-value 7 --region eu-west-1"
    )
    assert "--desired-value NEW_VALUE" in increase_command(LAB_MEDIUM)
    assert "--region" not in increase_command(LAB_MEDIUM, region="$(reboot)")


def test_a_quota_without_a_known_code_is_looked_for_by_its_name() -> None:
    command = increase_command("Studio CodeEditor Apps running on ml.t3.medium instances")
    assert "list-service-quotas" in command
    assert "QuotaName=='Studio CodeEditor Apps running on ml.t3.medium instances'" in command


@given(st.text())
def test_a_command_is_safe_to_paste_whatever_the_quota_is_called(name: str) -> None:
    command = increase_command(name, region=name)
    assert not set(command) & set("$`;|&<>\\\n\r")
    assert shlex.split(command)[0] == "aws"


def test_the_hint_says_what_to_type() -> None:
    full = QuotaFacts(quota=LAB_MEDIUM, value=2, used=2, requested=1)
    assert "--desired-value 3" in quota_hint(full)
    assert quota_hint(full).startswith("appfleet retries when quota frees up. To raise it: aws ")
    waiting = quota_hint(full, region="eu-west-1", waiting=6)
    assert waiting.endswith("--desired-value 8 --region eu-west-1")
    odd = QuotaFacts(quota="Studio CodeEditor Apps running on ml.t3.medium instances", value=0, used=0, requested=1)
    assert "find the quota's code and request an increase with it: aws service-quotas list-" in quota_hint(odd)
    assert quota_hint(odd, waiting=5, code="L-ABC123").endswith("--quota-code L-ABC123 --desired-value 5")
    none = QuotaFacts(quota=LAB_MEDIUM, value=0, used=0, requested=1)
    assert "Waiting does not help" in quota_hint(none)
    assert "--desired-value 1" in quota_hint(none)
    assert "NEW_VALUE" in quota_hint(QuotaFacts(quota=LAB_MEDIUM, value=3))
    assert "at most 4 KernelGateway" in quota_hint(QuotaFacts(app_type="KernelGateway"))
    assert "Service Quotas" in quota_hint(QuotaFacts())


@given(st.text() | st.from_regex(r"limit '[a-z']{1,9}' is [0-9,]{1,30} [A-Za-z ]{1,9}[,.]? with current"))
def test_no_text_breaks_the_reading(text: str) -> None:
    facts = parse_quota_message(text)
    assert facts.value is None or facts.value >= 0
    assert isinstance(quota_hint(facts), str)
