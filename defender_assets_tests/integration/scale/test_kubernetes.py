"""Dagster's Kubernetes launcher accepts the configuration in the values of deploy/. No cluster is used."""

from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # Dagster brings it, without its types
from dagster._config import process_config, resolve_to_config_type
from dagster_k8s import K8sRunLauncher
from dagster_k8s.job import UserDefinedDagsterK8sConfig
from kubernetes import client

from defender_assets_tests.integration.scale.hosts import DEPLOY

pytestmark = pytest.mark.scale

# the chart adds these to the instance
FROM_THE_CHART = {"instance_config_map": "defender-instance", "service_account_name": "defender"}
SNAKE = {
    "imagePullPolicy": "image_pull_policy",
    "loadInclusterConfig": "load_incluster_config",
    "envConfigMaps": "env_config_maps",
    "envSecrets": "env_secrets",
    "envVars": "env_vars",
    "volumeMounts": "volume_mounts",
    "failPodOnRunFailure": "fail_pod_on_run_failure",
    "runK8sConfig": "run_k8s_config",
}


@pytest.fixture
def launcher() -> dict[str, Any]:
    values = yaml.safe_load((DEPLOY / "kubernetes" / "values.yaml").read_text())
    launcher: dict[str, Any] = values["runLauncher"]["config"]["k8sRunLauncher"]
    return launcher


def test_the_launcher_accepts_the_values(launcher: dict[str, Any]) -> None:
    run = {"job_spec_config": launcher.pop("runK8sConfig")["jobSpecConfig"]}
    config = {SNAKE.get(name, name): value for name, value in launcher.items()} | {"run_k8s_config": run}
    result = process_config(resolve_to_config_type(K8sRunLauncher.config_type()), {**FROM_THE_CHART, **config})
    assert result.success, [error.message for error in result.errors or []]


def test_kubernetes_defines_the_fields_of_the_job(launcher: dict[str, Any]) -> None:
    config = UserDefinedDagsterK8sConfig.from_dict({"job_spec_config": launcher["runK8sConfig"]["jobSpecConfig"]})
    fields = client.V1JobSpec.attribute_map.values()
    assert set(launcher["runK8sConfig"]["jobSpecConfig"]) <= set(fields)
    assert config.job_spec_config
    assert set(launcher["resources"]) <= set(client.V1ResourceRequirements.attribute_map.values())
