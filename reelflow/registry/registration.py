"""Registration of a run's model: the alias it gets, the facts recorded of it, and its files."""

from __future__ import annotations

import json
import math
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar, Final

from pydantic import BaseModel

from reelflow.base.columns import USER_ID
from reelflow.base.common import content_hash, flatten
from reelflow.base.metrics import LIVE, OVER_USERS, Scope, all_paths
from reelflow.data.ingest.results import IngestSummary
from reelflow.evaluation.results import Results, Summary
from reelflow.registry import store
from reelflow.registry.storage import copy_model, local_path, share_files
from reelflow.registry.store import (
    CHALLENGER,
    CHAMPION,
    MODEL,
    NoAnswer,
    Registry,
    Version,
    set_up_mlflow,
    shown,
)
from reelflow.registry.variants import SHARE
from reelflow.saved_model import golden
from reelflow.saved_model.contract import RECOMMEND, SIGNATURES, Definitions
from reelflow.saved_model.files import GOLDEN, ServingResult

FOLDER: Final = "saved_model"
"""Folder of the SavedModel in a registered model."""
KNOWN_USERS: Final = "known_users"
"""Metric: share of the test ratings that are of users with ratings in training."""
_EXAMPLE: Final = "input_example.json"


@dataclass(frozen=True)
class Candidate:
    """A run's model, and all that the registry records of it."""

    saved_model: Path
    data: IngestSummary
    results: Results
    serving: ServingResult
    blessed: bool
    """True if the gate and ServingCheck let it pass."""
    pushed_version: str | None
    """Version in the serving folder, or in its folder of trials; None if it was not pushed."""
    user_vocabulary: Path
    movie_vocabulary: Path
    config: Mapping[str, Any]
    """The configuration that the model depends on, as nested mappings."""
    code: str
    """Hash of the source."""
    run_id: str
    files: Sequence[Path] = ()
    """Report and model card."""
    variant: str | None = None
    """`canary` or `shadow`, if it is on trial."""
    share: float = 0.0
    """Share of the users, if it is on trial."""

    @property
    def alias(self) -> str | None:
        """Alias in the registry; None: the model is not registered."""
        if self.blessed:
            return self.variant or (CHAMPION if self.pushed_version else CHALLENGER)
        if self.serving.blessed and self.results.gate.only_worse_than_champion:
            return CHALLENGER
        return None


class Registration(BaseModel):
    """Content of `registration.json`."""

    FILE: ClassVar[str] = "registration.json"

    registry: str
    """URI, without a password."""
    name: str
    """Of the registered model."""
    alias: str | None
    """None: the model was not registered."""
    version: int | None = None
    model_hash: str | None = None

    def as_json(self) -> str:
        """Return the file's content; without a version it has no keys for version and hash."""
        return json.dumps(self.model_dump(exclude_unset=True), indent=2)

    @classmethod
    def read(cls, folder: Path) -> Registration:
        """Read the file from an artifact's folder."""
        return cls.model_validate_json((folder / cls.FILE).read_bytes())


def register_candidate(registry: Registry, candidate: Candidate) -> Registration:
    """Register a model that passed, or that breaks the champion's bounds only.

    A model that the registry has already, byte for byte, gets no second version.

    Raises:
        NoAnswer: the registry cannot be asked; says what the serving folder holds meanwhile.
    """
    uri, alias = shown(registry.uri), candidate.alias
    if alias is None:
        return Registration(registry=uri, name=registry.name, alias=None)
    try:
        version = _register(registry, candidate, alias)
    except NoAnswer as error:
        if candidate.pushed_version is None:
            raise
        raise NoAnswer(
            f"{error.message} The serving folder has the new model already, as version "
            f"{candidate.pushed_version}; the registry's champion is another one, or none.",
            "Run again when the registry answers: all but the registration comes from the cache.",
        ) from error
    return Registration(
        registry=uri,
        name=registry.name,
        alias=alias,
        version=version.number,
        model_hash=version.model_hash,
    )


def _register(registry: Registry, candidate: Candidate, alias: str) -> Version:
    """Return the model's version, new or found by its hash, with its alias.

    The tag with the pushed version comes last. It marks this push as done: a later run on the same
    push leaves the alias where a user may have moved it.
    """
    model_hash = content_hash(candidate.saved_model)
    version = registry.find(model_hash)
    if version is None:
        version = _new_version(registry, candidate, model_hash)
    if candidate.blessed:  # a later refusal, against a better champion, does not take it back
        registry.tag(version.number, {store.BLESSED: "true", store.REASONS: ""})
    pushed = candidate.pushed_version
    anew = version.tags.get(store.PUSHED_VERSION) != pushed
    if alias != CHAMPION:
        # Once it has been promoted or demoted, the same push is no reason for another trial.
        if registry.aliases().get(CHAMPION) != version.number and (anew or pushed is None):
            if candidate.variant:
                registry.tag(version.number, {SHARE: str(candidate.share)})
            registry.set_alias(alias, version.number)
            if pushed is not None:
                registry.tag(version.number, {store.PUSHED_VERSION: pushed})
    elif anew or CHAMPION not in registry.aliases():
        registry.promote(version.number)
        registry.tag(version.number, {store.PUSHED_VERSION: candidate.pushed_version or ""})
    return version


def _new_version(registry: Registry, candidate: Candidate, model_hash: str) -> Version:
    data = candidate.data
    tags = {
        store.PIPELINE_RUN: candidate.run_id,
        store.GIT: git_commit(),
        store.CODE_HASH: candidate.code,
        store.DATA_HASH: data.data_hash,
        store.USERS_HASH: content_hash(candidate.user_vocabulary),
        store.MOVIES_HASH: content_hash(candidate.movie_vocabulary),
        store.ROWS: str(data.rows.train),
        store.BLESSED: "true" if candidate.blessed else "false",
        store.REASONS: "\n".join(candidate.results.gate.reasons),
    }
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "model")
        package(candidate.saved_model, folder)
        version = registry.register(
            folder,
            model_hash,
            run_name=candidate.run_id or model_hash[:12],
            description=f"{data.rows.train:,} train ratings, {data.format}.",
            metrics=metrics_of(
                candidate.results,
                candidate.serving,
                Scope(likes=data.ratings.says_likes, stars=data.ratings.says_likes),
            ),
            params=params_of(candidate.config),
            tags={key: value for key, value in tags.items() if value},
            files=candidate.files,
            texts={"config.json": json.dumps(candidate.config, indent=2)},
        )
    kept = local_path(registry.facts(version).artifacts)
    if kept is not None:
        share_files(candidate.saved_model, kept / MODEL / FOLDER)
    return version


def package(saved_model: Path, folder: Path) -> None:
    """Write the folder that is registered, as MLflow keeps models of the flavour `tensorflow`.

    `mlflow.tensorflow.load_model` gives the SavedModel with all its signatures. The signature that
    MLflow shows is that of `serving_default`.

    Args:
        saved_model: folder of the SavedModel.
        folder: to be made.
    """
    set_up_mlflow()
    from mlflow.models import Model, ModelSignature

    copy_model(saved_model, folder / FOLDER)
    tensors = Definitions.read(saved_model).metadata[RECOMMEND]
    inputs, outputs = _schema(tensors["inputs"]), _schema(tensors["outputs"])
    model = Model(signature=ModelSignature(inputs=inputs, outputs=outputs))
    file = saved_model / GOLDEN
    for request in golden.read(file) if file.is_file() else ():
        if request.signature == RECOMMEND:
            rows = len(request.inputs[USER_ID])
            # With the inputs that may be left out, and a row for each user, as MLflow wants it.
            example = {
                name: one.default * rows if isinstance(one.default, list) else [one.default] * rows
                for name, one in SIGNATURES[RECOMMEND].inputs.items()
                if one.default is not None
            }
            text = json.dumps({**example, **request.inputs}, ensure_ascii=False)
            (folder / _EXAMPLE).write_text(text, encoding="utf-8")
            model.saved_input_example_info = {"artifact_path": _EXAMPLE, "type": "ndarray"}
            break
    model.add_flavor("tensorflow", saved_model_dir=FOLDER, model_type="tf2-module", code=None)
    model.model_size_bytes = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
    requirement = f"tensorflow=={metadata.version('tensorflow')}\n"
    (folder / "requirements.txt").write_text(requirement, encoding="utf-8")
    model.save(str(folder / "MLmodel"))


def _schema(tensors: Mapping[str, Any]) -> Any:
    """Return MLflow's schema of a signature's tensors, each at least a vector of any size."""
    import numpy as np
    import tensorflow as tf
    from mlflow.types import Schema, TensorSpec
    from tensorflow.core.framework import types_pb2

    specs = []
    for name, tensor in sorted(tensors.items()):
        dtype = tf.as_dtype(types_pb2.DataType.Value(tensor["dtype"])).as_numpy_dtype
        axes = len(tensor["tensor_shape"].get("dim", []))  # none if the rank is free
        specs.append(TensorSpec(np.dtype(dtype), (-1,) * max(axes, 1), name))
    return Schema(specs)


def metrics_of(results: Results, check: ServingResult, scope: Scope) -> dict[str, float]:
    """Return the model's metrics by path, those of others below a name: `popularity/rmse`.

    `over_users/unseen/top_100` is a mean over users; `retrieval/...` is the order of retrieval
    alone, `live/...` the model with live histories. Values that are not finite are left out;
    `latency_ms` is the median of ServingCheck.

    Args:
        results: of the run.
        check: of the run.
        scope: the metrics that mean something.
    """
    figures: dict[str, float | None] = {**_figures(results.metrics, scope)}
    if scope.stars and results.metrics.like is not None:
        figures |= {f"like/{name}": value for name, value in results.metrics.like.items()}
    others = {**results.baselines}
    if results.retrieval is not None:
        others["retrieval"] = results.retrieval
    if results.live is not None:
        others[LIVE] = results.live.metrics
    for name, summary in others.items():
        figures |= {f"{name}/{path}": value for path, value in _figures(summary, scope).items()}
    known = results.out_of_vocabulary.get("users")
    figures[KNOWN_USERS] = None if known is None else 1 - known
    figures["latency_ms"] = check.latency_ms.get("median")
    return {
        path: float(value)
        for path, value in figures.items()
        if value is not None and math.isfinite(value)
    }


def _figures(summary: Summary, scope: Scope) -> dict[str, float | None]:
    """Return means over ratings and over users by path; None where there is none."""
    paths = scope.of(all_paths())
    figures = {path: summary.value(path) for path in paths}
    return figures | {f"{OVER_USERS}/{path}": summary.over_users.get(path) for path in paths}


def params_of(config: Mapping[str, Any]) -> dict[str, str]:
    """Return a configuration as MLflow's parameters, `train.epochs`, without what is not set."""
    return {
        path: str(value)
        for path, value in flatten(config, ".").items()
        if value is not None and value != ""
    }


def git_commit(folder: Path = Path(__file__).parent) -> str | None:
    """Return the commit of the source, with `-dirty` if files differ; None without git."""
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40"]
    command += ["--exclude=*"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):  # git is not installed
        return None
    return answer.stdout.strip() or None
