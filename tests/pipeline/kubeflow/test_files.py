"""Files beside the code that a cluster is given."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from pipeline.kubeflow.parameters import METADATA_VARIABLES
from reelflow.config import KubeflowConfig

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "kubeflow"


def _manifests() -> list[dict]:  # type: ignore[type-arg]
    kustomization = yaml.safe_load((FOLDER / "manifests" / "kustomization.yaml").read_text())
    files = [FOLDER / "manifests" / name for name in kustomization["resources"]]
    return [document for file in files for document in yaml.safe_load_all(file.read_text())]


def test_the_manifests_are_what_the_configuration_names() -> None:
    config = KubeflowConfig()
    found = {(document["kind"], document["metadata"]["name"]) for document in _manifests()}
    assert {("PersistentVolumeClaim", claim) for claim in config.volumes} <= found
    assert ("Service", "reelflow-metadata") in found
    text = (FOLDER / "manifests" / "metadata.yaml").read_text()
    keys = set(re.findall(rf"name: {config.metadata_secret}, key: (\w+)", text))
    assert keys <= set(METADATA_VARIABLES)
    assert "password" in keys


def test_no_secret_is_written_down() -> None:
    assert not [document for document in _manifests() if document["kind"] == "Secret"]


def test_the_readme_makes_all_secrets() -> None:
    text = (FOLDER / "README.md").read_text()
    config = KubeflowConfig()
    assert f"secret generic {config.metadata_secret} " in text
    for key in METADATA_VARIABLES:
        assert f"--from-literal={key}=" in text
    for place in config.secrets.values():
        secret, _, key = place.partition("/")
        assert f"secret generic {secret} " in text
        assert f"--from-literal={key}=" in text


def test_the_image_holds_every_package_of_the_project() -> None:
    docker = (FOLDER / "Dockerfile").read_text()
    kept = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    packages = re.search(r"packages = \[(.*)\]", (ROOT / "pyproject.toml").read_text())
    assert packages
    for package in re.findall(r'"(\w+)"', packages[1]):
        assert f"COPY {package} {package}\n" in docker
        assert f"!{package}" in kept
    for line in re.findall(r"^COPY (?!--)(.*) \S+$", docker, re.MULTILINE):
        for name in line.split():
            assert (ROOT / name).exists()
            assert f"!{name}" in kept


def test_the_image_installs_with_the_same_uv_as_everybody() -> None:
    version = re.search(r"UV_VERSION=([\d.]+)", (ROOT / "setup.sh").read_text())
    assert version
    assert f"uv=={version[1]}\n" in (FOLDER / "Dockerfile").read_text()
