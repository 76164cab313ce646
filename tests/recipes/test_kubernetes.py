"""The CronJob: its manifests, and its command in a pod as kubelet lays it out, night after night on one volume."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.recipes.platforms import (
    APPFLEET,
    APPS,
    FAILING,
    OTHER_USERS,
    RECIPES,
    USER_ID,
    Machine,
    mount_config_map,
    mount_with_fs_group,
    write_fleet,
)

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

RECIPE = RECIPES / "kubernetes-cronjob.yaml"
CREATE_CONFIG_MAP = re.compile(r"^# +kubectl create configmap (\S+) --from-file=(\S+)$", re.MULTILINE)


def manifests() -> dict[str, dict[str, Any]]:
    return {document["kind"]: document for document in yaml.safe_load_all(RECIPE.read_text())}


def pod() -> dict[str, Any]:
    found: dict[str, Any] = manifests()["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return found


def container() -> dict[str, Any]:
    (found,) = pod()["containers"]
    return dict(found)


def config_maps(home: Path) -> dict[str, dict[str, bytes]]:
    """Return the ConfigMaps that the recipe's kubectl commands make in the folder of the fleet."""
    made = {}
    for name, source in CREATE_CONFIG_MAP.findall(RECIPE.read_text()):
        path = home / source
        files = [path] if path.is_file() else [file for file in path.iterdir() if file.is_file()]
        made[name] = {file.name: file.read_bytes() for file in files}
    return made


class Cluster:
    """A node with one pod a night and one volume for the state, which stays."""

    def __init__(self, root: Path) -> None:
        variables = {"PATH": f"{APPFLEET.parent}:/usr/bin:/bin", "HOME": "/", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}
        self.machine = Machine(root, variables, user=int(pod()["securityContext"]["runAsUser"]))
        write_fleet(root / "home")
        self.fs_group = int(pod()["securityContext"]["fsGroup"])
        self.volume = self.machine.make("state", mode=0o755)

    def mount(self) -> None:
        """Mount each volume of the pod where its container wants it."""
        maps = config_maps(self.machine.root / "home")
        volumes = {volume["name"]: volume for volume in pod()["volumes"]}
        shutil.rmtree(self.machine.root / "fleet", ignore_errors=True)
        for mount in container()["volumeMounts"]:
            volume = volumes[mount["name"]]
            where = self.machine.root / mount["mountPath"].lstrip("/")
            if "configMap" in volume and "subPath" in mount:
                where.parent.mkdir(parents=True, exist_ok=True)
                where.write_bytes(maps[volume["configMap"]["name"]][mount["subPath"]])
            elif "configMap" in volume:
                mount_config_map(where, maps[volume["configMap"]["name"]])
            elif "persistentVolumeClaim" in volume:
                mount_with_fs_group(where, self.fs_group)

    def night(self, *, mount: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the pod once."""
        if mount:
            self.mount()
        return self.machine.run(
            shlex.join([*container()["command"], *container()["args"]]), self.machine.root / "fleet"
        )


@pytest.fixture
def cluster(root: Path) -> Cluster:
    return Cluster(root)


def outcomes(ran: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return {app["key"]: app["outcome"] for app in json.loads(ran.stdout)["apps"]}


def modes(state: Path) -> set[int]:
    return {path.stat().st_mode & 0o7777 for path in state.iterdir()}


@pytest.mark.slow
def test_two_nights_on_a_volume_that_kubelet_opens_to_its_group_at_each_mount(cluster: Cluster) -> None:
    for outcome in ("created", "unchanged"):
        ran = cluster.night()
        assert ran.returncode == 0, ran.stderr
        assert outcomes(ran) == dict.fromkeys(APPS, outcome)
        state = cluster.volume / "appfleet"
        assert state.stat().st_mode & 0o7777 == 0o700
        assert modes(state) == {0o600}
    assert "journal" not in json.dumps(json.loads(ran.stdout).get("notes", []))


@pytest.mark.slow
def test_a_second_night_on_a_volume_that_kubelet_left_alone(cluster: Cluster) -> None:
    """What fsGroupChangePolicy: OnRootMismatch does."""
    assert pod()["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch"
    assert cluster.night().returncode == 0
    assert outcomes(cluster.night(mount=False)) == dict.fromkeys(APPS, "unchanged")


@pytest.mark.slow
def test_nights_that_fail_are_remembered(cluster: Cluster) -> None:
    cluster.machine.simulated = FAILING
    nights = [cluster.night() for _ in range(2)]
    assert [ran.returncode for ran in nights] == [3, 3]
    assert [outcomes(ran)[APPS[0]] for ran in nights] == ["failed", "skipped"]


@pytest.mark.slow
@pytest.mark.parametrize("mode", [0o777, 0o2777], ids=["emptyDir", "emptyDir with fsGroup"])
def test_the_root_of_a_volume_is_refused_with_a_folder_that_works(cluster: Cluster, mode: int) -> None:
    cluster.mount()
    cluster.volume.chmod(mode)
    if OTHER_USERS:
        os.chown(cluster.volume, 0, USER_ID)
    looking = f"{APPFLEET} -f /fleet/fleet.toml --state-dir {{}} apply --yes"
    refused = cluster.machine.run(looking.format(cluster.volume), cluster.machine.root)
    assert refused.returncode == 1
    said = " ".join(refused.stderr.split())
    assert "AF502" in said
    if OTHER_USERS:
        assert f"--state-dir {cluster.volume}/appfleet" in said
    assert cluster.machine.run(looking.format(f"{cluster.volume}/appfleet"), cluster.machine.root).returncode == 0


def test_every_part_of_the_fleet_has_a_place(cluster: Cluster) -> None:
    cluster.mount()
    fleet = cluster.machine.root / "fleet"
    written = {
        str(path.relative_to(cluster.machine.root / "home")) for path in (cluster.machine.root / "home").rglob("*.*")
    }
    assert all((fleet / name).is_file() for name in written)
    assert (fleet / "teams/vision.csv").is_symlink()  # as kubelet lays it out


def test_the_manifests_are_whole() -> None:
    kinds = manifests()
    assert set(kinds) == {"PersistentVolumeClaim", "ServiceAccount", "CronJob"}
    job = kinds["CronJob"]["spec"]
    assert job["concurrencyPolicy"] == "Forbid"
    assert re.fullmatch(r"\d+ \d+ \* \* \*", job["schedule"])
    assert pod()["serviceAccountName"] == kinds["ServiceAccount"]["metadata"]["name"]
    assert {mount["name"] for mount in container()["volumeMounts"]} == {volume["name"] for volume in pod()["volumes"]}
    claims = [
        volume["persistentVolumeClaim"]["claimName"] for volume in pod()["volumes"] if "persistentVolumeClaim" in volume
    ]
    assert claims == [kinds["PersistentVolumeClaim"]["metadata"]["name"]]
    used = {volume["configMap"]["name"] for volume in pod()["volumes"] if "configMap" in volume}
    assert used == {name for name, _ in CREATE_CONFIG_MAP.findall(RECIPE.read_text())}


def test_the_pod_needs_no_root_and_writes_to_its_volumes_alone() -> None:
    assert pod()["securityContext"]["runAsNonRoot"] is True
    assert container()["securityContext"]["readOnlyRootFilesystem"] is True
    assert container()["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    writable = {mount["mountPath"] for mount in container()["volumeMounts"] if not mount.get("readOnly")}
    assert writable == {"/state", "/tmp"}
