"""What deploys several gateways agrees with what a gateway is: its times, its files, its rights."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from gateway.config.settings import Settings, read_settings
from gateway.config.tokens import read_tokens
from gateway.core.access import digest_of
from gateway.core.model import SECOND
from gateway.loading import check
from tests.faults.machine import needs

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
WORKLOADS = {
    name: yaml.safe_load((DEPLOY / "kubernetes" / name).read_text())
    for name in ("nodes/deployment.yaml", "single/statefulset.yaml")
}
BASE = DEPLOY / "kubernetes/base"


def _settings(environment: dict[str, str | None]) -> Settings:
    """What a gateway makes of the variables; those without a value are the shell's."""
    given = {name: value for name, value in environment.items() if value is not None}
    fields = {
        name.removeprefix("GATEWAY_").lower(): value
        for name, value in given.items()
        if name.startswith("GATEWAY_") and name != "GATEWAY_DATABASE"
    }
    return read_settings(fields)


def _seconds(text: str) -> int:
    return int(text.removesuffix("s"))


# -- compose.yaml ------------------------------------------------------------------------------------------


def test_compose_waits_longer_than_a_gateway_takes_to_end():
    settings = _settings(COMPOSE["x-gateway"]["environment"])
    takes = (settings.drain + settings.grace) // SECOND
    balancer = re.search(r"hard-stop-after (\d+)s", (DEPLOY / "compose/haproxy.cfg").read_text())
    assert _seconds(COMPOSE["x-gateway"]["stop_grace_period"]) > takes
    assert balancer is not None
    assert _seconds(COMPOSE["services"]["balancer"]["stop_grace_period"]) > int(balancer[1]) > takes


def test_compose_publishes_on_loopback_and_from_the_balancer_only():
    ports = {name: s["ports"] for name, s in COMPOSE["services"].items() if "ports" in s}
    assert list(ports) == ["balancer"]
    assert all(port.startswith("127.0.0.1:") for port in ports["balancer"])
    assert COMPOSE["networks"]["back"]["internal"] is True
    assert COMPOSE["services"]["postgres"]["networks"] == ["back"]


def test_the_balancer_leads_to_each_gateway_there_is():
    gateways = {name for name in COMPOSE["services"] if name.startswith("gateway-")}
    backends = re.findall(r"^ +server (\S+) (\S+):\d+", (DEPLOY / "compose/haproxy.cfg").read_text(), re.MULTILINE)  # fmt: skip
    assert sorted(backends) == sorted((name, name) for name in gateways for _ in range(2))


def test_the_secrets_that_are_made_are_those_that_compose_mounts(tmp_path):
    folder = tmp_path / "secrets"
    making = ["sh", str(DEPLOY / "compose/secrets.sh"), str(folder)]
    subprocess.run(making, check=True, capture_output=True)
    mounted = {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()}
    assert {file.name for file in folder.iterdir()} == mounted
    assert folder.stat().st_mode & 0o777 == 0o700
    (token,) = read_tokens(folder / "admin-tokens")
    assert token.digest == digest_of((folder / "admin-token").read_text())
    # What is there already is not written over.
    assert subprocess.run(making, check=False, capture_output=True).returncode == 1


# -- Kubernetes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(WORKLOADS))
def test_a_pod_gets_longer_than_a_gateway_takes_to_end(name):
    pod = WORKLOADS[name]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    settings = _settings({each["name"]: each["value"] for each in container["env"]})
    takes = (
        container["lifecycle"]["preStop"]["sleep"]["seconds"]
        + (settings.drain + settings.grace) // SECOND
    )
    assert pod["terminationGracePeriodSeconds"] > takes


@pytest.mark.parametrize("name", list(WORKLOADS))
def test_a_pod_may_do_no_more_than_the_image_needs(name):
    pod = WORKLOADS[name]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    user = re.search(r"^USER (\d+):(\d+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert user is not None
    assert [pod["securityContext"][who] for who in ("runAsUser", "runAsGroup")] == [
        int(each) for each in user.groups()
    ]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False


def test_only_a_database_of_many_has_several_pods():
    assert WORKLOADS["nodes/deployment.yaml"]["spec"]["replicas"] >= 2
    single = WORKLOADS["single/statefulset.yaml"]["spec"]
    assert single["replicas"] == 1
    environment = {each["name"]: each["value"] for each in single["template"]["spec"]["containers"][0]["env"]}  # fmt: skip
    assert environment["GATEWAY_DATABASE"].startswith("/data/")


# Debian's kubectl is too old for it, so where there is none .ci/run cannot install one.
@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is needed")
@pytest.mark.parametrize("form", ["nodes", "single"])
def test_kustomize_puts_it_together(form):
    rendering = ["kubectl", "kustomize", str(DEPLOY / "kubernetes" / form)]
    rendered = subprocess.run(rendering, check=True, capture_output=True, text=True).stdout
    resources = list(yaml.safe_load_all(rendered))
    config = next(each for each in resources if each["kind"] == "ConfigMap")
    workload = next(each for each in resources if each["kind"] in ("Deployment", "StatefulSet"))
    (volume,) = (
        each["configMap"]
        for each in workload["spec"]["template"]["spec"]["volumes"]
        if each["name"] == "config"
    )
    assert volume["name"] == config["metadata"]["name"]
    assert {item["key"] for item in volume["items"]} == set(config["data"])


def test_the_routes_of_the_example_are_sound(tmp_path):
    routes = shutil.copytree(BASE / "config", tmp_path / "config") / "routes.yaml"
    text = routes.read_text()
    for name in re.findall(r"/run/secrets/gateway/([\w-]+)", text):
        (tmp_path / name).write_text("whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    routes.write_text(text.replace("/run/secrets/gateway", str(tmp_path)))
    checked = check(Settings(routes=routes, production=True), {})
    assert checked.problems == []
    assert checked.routes is not None


# -- systemd -------------------------------------------------------------------------------------------


def test_systemd_takes_the_unit(tmp_path):
    needs("systemd-analyze", there=shutil.which("systemd-analyze") is not None)
    unit = (DEPLOY / "systemd/gateway.service").read_text()
    file = tmp_path / "gateway.service"
    file.write_text(unit.replace("/opt/gateway/bin/gateway", "/bin/true"))
    verifying = ["systemd-analyze", "verify", "--man=no", str(file)]
    verified = subprocess.run(verifying, capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")
    defaults = Settings.model_fields
    takes = (defaults["drain"].default + defaults["grace"].default) // SECOND
    waits = re.search(r"^TimeoutStopSec=(\d+)s$", unit, re.MULTILINE)
    assert waits is not None
    assert int(waits[1]) > takes
