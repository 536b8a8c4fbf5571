"""Retention: what older runs have left, removed; nothing that is still needed. Imports MLMD.

Kept are the newest runs with their artifacts (so what MLMD's cache would use for the same data),
what serves, every version of the registry with an alias or a pin, and the last champions, to roll
back to. The caller holds the lock of the output folder, so that no run is at work.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from pipeline.runs.lineage import open_store
from pipeline.runs.promotion import registry_of
from pipeline.runs.summary import list_runs
from reelflow.config import Config, KeepConfig
from reelflow.config.layout import Layout
from reelflow.registry.pins import pinned
from reelflow.registry.storage import local_path
from reelflow.registry.store import MODEL_HASH, PIPELINE_RUN, Registry, Version, sqlite_file

Kind = Literal["run", "artifact", "version", "registration"]

_LIVE: Final = metadata_store_pb2.Artifact.LIVE
_DELETED: Final = metadata_store_pb2.Artifact.DELETED


@dataclass(frozen=True)
class Removal:
    """One thing that is removed."""

    kind: Kind
    name: str
    path: Path | None
    """Its folder; None if it is not on this machine."""
    bytes: int
    """Room that it takes by itself; files that other folders share do not count."""
    number: int = 0
    """Id of the artifact in MLMD, 0 if that does not know it; number of the registry's version."""


def plan(layout: Layout, config: Config) -> list[Removal]:
    """Return what the section `keep` lets go.

    Raises:
        NoAnswer: the registry does not answer.
    """
    keep, registry = config.keep, registry_of(config, layout)
    versions = [] if registry.untouched else registry.versions()
    gone = {version.number for version in _old_versions(registry, versions, keep)}
    needed = {v.tags.get(PIPELINE_RUN, "") for v in versions if v.number not in gone}
    return [
        *_runs(layout, keep, needed),
        *(_artifacts(layout, keep) if layout.metadata.is_file() else ()),
        *(_version(registry, version) for version in versions if version.number in gone),
        *_cut_off(registry, versions, layout),
    ]


def carry_out(removals: list[Removal], layout: Layout, config: Config) -> None:
    """Remove what `plan` has returned; it may be repeated after it was cut off.

    Raises:
        NoAnswer: the registry does not answer.
        OSError: a folder cannot be removed.
    """
    registry = registry_of(config, layout)
    for removal in removals:
        if removal.kind == "version":
            with registry.asking():
                version = registry.client.get_model_version(registry.name, str(removal.number))
                registry.client.delete_model_version(registry.name, str(removal.number))
                if version.run_id:
                    registry.client.delete_run(version.run_id)
        if removal.path is not None and removal.path.exists():
            shutil.rmtree(removal.path)
        if removal.kind == "registration":
            with registry.asking():
                registry.client.delete_run(removal.name)
    numbers = [removal.number for removal in removals if removal.kind == "artifact"]
    if known := [number for number in numbers if number]:
        store = open_store(layout.metadata)
        artifacts = store.get_artifacts_by_id(known)
        for artifact in artifacts:
            artifact.state = _DELETED
        store.put_artifacts(artifacts)


def _runs(layout: Layout, keep: KeepConfig, needed: set[str]) -> Iterator[Removal]:
    """Yield the folders of old runs, but of those that made a version which is kept."""
    for run in list_runs(layout)[keep.runs :]:
        path = run.folder.path
        if path.name not in needed and path != layout.latest.resolve():
            yield Removal("run", path.name, path, size_of(path))


def _artifacts(layout: Layout, keep: KeepConfig) -> Iterator[Removal]:
    """Yield the artifacts that none of the newest runs has read or written."""
    store = open_store(layout.metadata)
    runs = store.get_contexts_by_type("pipeline_run")
    runs.sort(key=lambda run: (run.create_time_since_epoch, run.id), reverse=True)
    needed = set[int]()
    for run in runs[: keep.artifacts]:
        executions = [execution.id for execution in store.get_executions_by_context(run.id)]
        events = store.get_events_by_execution_ids(executions) if executions else ()
        needed |= {event.artifact_id for event in events}
    by_path = {_path(artifact): artifact for artifact in _of_folder(store, layout)}
    kept = {path for path, artifact in by_path.items() if artifact.id in needed}
    for path in sorted(_folders(layout) | set(by_path)):
        artifact = by_path.get(path)
        if path in kept or (artifact is not None and artifact.state == _DELETED):
            continue
        name = str(path.relative_to(layout.artifacts))
        yield Removal("artifact", name, path, size_of(path), artifact.id if artifact else 0)


def _of_folder(
    store: metadata_store.MetadataStore, layout: Layout
) -> Iterator[metadata_store_pb2.Artifact]:
    for artifact in store.get_artifacts():
        if _path(artifact).is_relative_to(layout.artifacts):
            yield artifact


def _path(artifact: metadata_store_pb2.Artifact) -> Path:
    return Path(artifact.uri.removeprefix("file://"))


def _folders(layout: Layout) -> set[Path]:
    """Return the folders of artifacts, NODE/OUTPUT/EXECUTION; failed executions leave some, too."""
    folders = layout.artifacts.glob("*/*/*")
    return {path for path in folders if path.name.isdigit() and path.is_dir()}


def _old_versions(
    registry: Registry, versions: list[Version], keep: KeepConfig
) -> Iterator[Version]:
    """Yield the registry's versions that are let go, of those that Reelflow has registered."""
    if not versions:
        return
    spared = {*registry.aliases().values(), *registry.champions()[-keep.champions :]}
    if (number := pinned(registry)) is not None:
        spared.add(number)
    for version in versions[: -keep.versions]:
        if version.number not in spared and version.model_hash:
            yield version


def _version(registry: Registry, version: Version) -> Removal:
    folder = local_path(registry.facts(version).artifacts)  # model, report, card
    size = 0 if folder is None else size_of(folder)
    return Removal("version", f"version {version.number}", folder, size, version.number)


def _cut_off(registry: Registry, versions: list[Version], layout: Layout) -> Iterator[Removal]:
    """Yield what registrations have left that were killed before they made a version.

    Only in the output folder's own registry, whose lock the caller holds: in another one they may
    be at work.
    """
    file = sqlite_file(registry.uri)
    if registry.untouched or file is None or file.absolute() != layout.registry.absolute():
        return
    with registry.asking():
        experiment = registry.client.get_experiment_by_name(registry.name)
        found = (
            []
            if experiment is None
            else registry.client.search_runs(
                [experiment.experiment_id], f"tags.`{MODEL_HASH}` != ''"
            )
        )
    registered = {version.run_id for version in versions}
    for run in found:
        folder = local_path(str(run.info.artifact_uri))
        if run.info.run_id not in registered and folder is not None:
            size = size_of(folder) if folder.is_dir() else 0
            yield Removal("registration", run.info.run_id, folder, size)


def size_of(folder: Path) -> int:
    """Return the bytes of a folder's files that no other folder shares."""
    files = (path.lstat() for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(file.st_size for file in files if file.st_nlink == 1)
