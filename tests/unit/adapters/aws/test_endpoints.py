"""Which hosts are AWS's own, and where the region comes from when nobody names it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.session import Session

from engine.adapters.aws.endpoints import configured_profiles, configured_region, foreign_endpoint, service_regions

if TYPE_CHECKING:
    from pathlib import Path

OWN = [
    "https://api.sagemaker.eu-west-1.amazonaws.com",
    "https://api.sagemaker.eu-west-1.amazonaws.com:443/",
    "https://API.sagemaker.eu-west-1.amazonaws.com",
    "https://api-fips.sagemaker.us-gov-west-1.amazonaws.com",
    "https://api.sagemaker.cn-north-1.amazonaws.com.cn",
    "https://api.sagemaker.us-iso-east-1.c2s.ic.gov",
    "https://api.sagemaker.eusc-de-east-1.amazonaws.eu",
    "https://sagemaker.eu-west-1.api.aws",
    "https://sagemaker-fips.us-east-1.api.aws",
    "https://sagemaker.cn-north-1.api.amazonwebservices.com.cn",
    "https://sts.amazonaws.com",
    "https://sts.eu-west-1.amazonaws.com",
    "https://vpce-0a1b2c3d-xyz9.api.sagemaker.eu-west-1.vpce.amazonaws.com",
    "https://vpce-0a1b2c3d-xyz9-eu-west-1a.api.sagemaker.eu-west-1.vpce.amazonaws.com",
    "https://vpce-0a1b2c3d-xyz9.sts.cn-north-1.vpce.amazonaws.com.cn",
]
FOREIGN = [
    "http://api.sagemaker.eu-west-1.amazonaws.com",
    "https://api.sagemaker.eu-west-1.amazonaws.com:8443",
    "https://amazonaws.com.example.org",
    "https://evilamazonaws.com",
    "https://api.sagemaker.eu-west-1.amazonaws.com.example.org",
    "https://x1y2z3.execute-api.eu-west-1.amazonaws.com",
    "https://api.sagemaker.execute-api.eu-west-1.amazonaws.com",
    "https://sagemaker.s3.amazonaws.com",
    "https://api.sagemaker.s3.eu-west-1.amazonaws.com",
    "https://my-bucket.s3.eu-west-1.amazonaws.com",
    "https://ec2-203-0-113-7.eu-west-1.compute.amazonaws.com",
    "https://my-lb-123.eu-west-1.elb.amazonaws.com",
    "https://abc.lambda-url.eu-west-1.on.aws",
    "https://vpce-0a1b2c3d-xyz9.vpce-svc-0123456789.eu-west-1.vpce.amazonaws.com",
    "https://api.sagemaker.eu-west-1.vpce.amazonaws.com",
    "https://sagemaker.eu-west-1.amazonaws.com",
    "https://127.0.0.1:8080",
    "http://127.0.0.1:8080",
    "https://sagemaker.example.org",
]


@pytest.mark.parametrize("url", OWN)
def test_the_api_hosts_of_the_partitions_are_aws_s_own(url: str) -> None:
    assert foreign_endpoint(url) == ""


@pytest.mark.parametrize("url", FOREIGN)
def test_every_other_host_is_shown(url: str) -> None:
    assert foreign_endpoint(url) == url


def test_what_is_shown_holds_no_password_and_what_is_no_url_breaks_nothing() -> None:
    assert foreign_endpoint("https://ops:hunter2@sagemaker.example.org/x") == "https://sagemaker.example.org/x"
    assert foreign_endpoint("https://h:port") == "https://h:port"


def test_every_endpoint_that_the_library_knows_of_our_services_is_aws_s_own() -> None:
    resolver = Session()._get_internal_component("endpoint_resolver")
    services = ("api.sagemaker", "sts", "iam", "tagging", "servicequotas", "api.pricing", "portal.sso", "oidc", "sso")
    found = 0
    for partition in resolver.get_available_partitions():
        for service in (*services, "identitystore"):
            for region in resolver.get_available_endpoints(service, partition):
                endpoint = resolver.construct_endpoint(service, region, partition)
                assert foreign_endpoint(f"https://{endpoint['hostname']}") == "", endpoint["hostname"]
                found += 1
    assert found > 100


@pytest.mark.parametrize(
    ("variables", "region"),
    [
        ({}, ""),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
        ({"AWS_PROFILE": "p"}, "eu-west-3"),
        ({"AWS_PROFILE": "p", "AWS_REGION": ""}, "eu-west-3"),
        ({"AWS_PROFILE": "nobody"}, ""),
    ],
)
def test_the_region_is_that_of_the_environment_or_of_the_profile(
    variables: dict[str, str], region: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    (tmp_path / "config").write_text("[profile p]\nregion = eu-west-3\n")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert configured_region() == region


def test_the_region_and_the_names_of_profiles_are_those_of_this_machines_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    config = tmp_path / "config"
    config.write_text("[profile ml-test]\n[profile ml-prod]\nregion = eu-central-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    assert configured_profiles() == ("ml-prod", "ml-test")
    assert (configured_region("ml-prod"), configured_region("ml-test"), configured_region("nobody")) == (
        "eu-central-1", "", "",
    )  # fmt: skip
    config.write_text("this is no configuration\n")
    assert configured_profiles() == ()


def test_the_regions_are_those_of_the_partition() -> None:
    """A region that is newer than the SDK is taken for one of AWS's own."""
    assert service_regions("cn-north-1") == ("cn-north-1", "cn-northwest-1")
    assert {"eu-west-1", "us-east-1"} < set(service_regions("")) == set(service_regions("eu-west-1"))
