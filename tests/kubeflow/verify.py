"""`make verify-kubeflow`: the compiled package on this machine, without a cluster.

Compiles the package, has the kfp SDK read it, starts MariaDB for ML Metadata, and runs every task's
command as a process of its own, from an empty folder: once with the Trainer killed in the middle,
and once again, which has to come from the cache. Then looks for the pushed model, the blessings
and the lineage. Takes some minutes: every process imports TFX.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reelflow.base.environment import prepare
from tests.kubeflow import cluster, mariadb

ROOT = Path(__file__).resolve().parents[2]
KILLED = "Trainer"


def main() -> None:
    """Verifies, and says what it sees."""
    parser = argparse.ArgumentParser(prog="python -m tests.kubeflow.verify", description=__doc__)
    parser.add_argument("--keep", type=Path, help="work in this new folder and leave it there")
    keep = parser.parse_args().keep
    began = time.monotonic()
    mariadb.install()
    if keep:
        keep.mkdir(parents=True)
        verify(keep.resolve())
    else:
        with tempfile.TemporaryDirectory(prefix="reelflow-kubeflow-") as folder:
            verify(Path(folder))
    print(f"Verified in {time.monotonic() - began:.0f} s.")


def verify(folder: Path) -> None:
    """Everything, in an empty folder.

    Raises:
        AssertionError: something is not as it should be.
        RuntimeError: a task failed.
    """
    prepare()
    volume = folder / "volume"
    volume.mkdir()
    package = compile_package(folder, volume)
    with mariadb.running(folder / "mariadb") as secret:
        assert secret["password"] not in package.read_text()
        secrets = {
            "reelflow-metadata": secret,
            "reelflow-registry": {"tracking-uri": f"sqlite:///{volume}/registry.db"},
        }
        print(f"First run; the {KILLED} is killed in the middle:")
        middle = in_the_middle_of(KILLED, volume)
        first = cluster.run(package, folder, secrets, kill=(KILLED, middle))
        print("Second run, from the cache:")
        second = cluster.run(package, folder, secrets)
        check(first, second, secret, volume)


def compile_package(folder: Path, volume: Path) -> Path:
    """The package of the built-in sample, compiled by the command and read by the kfp SDK."""
    from kfp import components

    from reelflow.data.sample import write_sample

    data, package = write_sample(volume / "ratings"), folder / "package.yaml"
    reelflow = Path(sys.executable).with_name("reelflow")
    words = [reelflow, "kubeflow", "compile", "--config", "sample", "--data", data]
    places = [f"kubeflow.output={volume}", f'kubeflow.volumes={{reelflow = "{volume}"}}']
    words += [word for place in places for word in ("--set", place)] + ["--package", package]
    subprocess.run([str(word) for word in words], cwd=ROOT, check=True)
    loaded = components.load_component_from_file(str(package))
    assert loaded.pipeline_spec.root.dag.tasks
    return package


def in_the_middle_of(node: str, volume: Path) -> Callable[[], bool]:
    """Say whether the executor of a node has been at work for some seconds."""
    system = volume / "artifacts" / node / ".system" / "executor_execution"
    seen: list[float] = []

    def middle() -> bool:
        if not seen and system.is_dir() and any(system.iterdir()):
            seen.append(time.monotonic())
        return bool(seen) and time.monotonic() - seen[0] > 5

    return middle


def check(first: cluster.Run, second: cluster.Run, secret: dict[str, str], volume: Path) -> None:
    """Look into ML Metadata and the volume.

    Raises:
        AssertionError: something is not as it should be.
    """
    from pipeline import LOOKUPS
    from pipeline.kubeflow.parameters import METADATA_VARIABLES, connection_config
    from pipeline.runs.lineage import read_run

    database = connection_config({METADATA_VARIABLES[key]: value for key, value in secret.items()})
    runs = [read_run(database, made.run_id) for made in (first, second)]

    assert [attempt.code for attempt in first.of(KILLED)] == [-9, 0]
    for run in runs:
        names = [node.node for node in run.nodes]
        assert len(set(names)) == len(names), "a node has two executions in one run"
        assert not [node.node for node in run.nodes if node.state not in ("done", "cached")]
    assert "earlier attempt was cut off" in first.of(KILLED)[1].log.read_text(errors="replace")
    cached = {node.node for node in runs[1].nodes if node.state == "cached"}
    others = {node.node for node in runs[1].nodes} - cached
    missed = others - LOOKUPS
    assert not missed, f"not from the cache: {missed}"

    pushed = runs[0].find("PushedModel")
    model, infra = runs[0].find("ModelBlessing"), runs[0].find("InfraBlessing")
    assert pushed
    assert model
    assert infra
    assert model.properties["blessed"] == 1
    assert (infra.uri / "INFRA_BLESSED").is_file()
    assert pushed.properties["pushed"] == 1
    served = list((volume / "serving" / "reelflow").iterdir())
    assert [(version / "saved_model.pb").is_file() for version in served] == [True]
    ancestors = lineage(database, str(pushed.uri))
    needed = {"RatingsExampleGen", "Transform", "Trainer", "Evaluator", "ServingCheck", "Pusher"}
    assert needed <= ancestors, needed - ancestors
    for made in (first, second):
        assert (volume / "runs" / made.run_id / "summary.json").is_file()
        assert (volume / "runs" / made.run_id / "report.html").is_file()
    print(f"Pushed once: {served[0].name}, with both blessings; {len(cached)} nodes cached.")
    print(f"Behind the pushed model: {', '.join(sorted(ancestors))}.")


def lineage(database: Any, uri: str) -> set[str]:
    """The nodes that an artifact comes from, step by step back through the events."""
    from ml_metadata.metadata_store import metadata_store
    from ml_metadata.proto import metadata_store_pb2

    store = metadata_store.MetadataStore(database)
    event = metadata_store_pb2.Event
    artifacts, executions = {a.id for a in store.get_artifacts_by_uri(uri)}, set[int]()
    while True:
        makers = {
            e.execution_id
            for e in store.get_events_by_artifact_ids(list(artifacts))
            if e.type == event.OUTPUT
        } - executions
        if not makers:
            break
        executions |= makers
        events = store.get_events_by_execution_ids(list(makers))
        artifacts |= {e.artifact_id for e in events if e.type == event.INPUT}
    found = store.get_executions_by_id(list(executions))
    names = (
        context.name.rpartition(".")[2]
        for execution in found
        for context in store.get_contexts_by_execution(execution.id)
        if context.type == "node"
    )
    return set(names)


if __name__ == "__main__":
    main()
