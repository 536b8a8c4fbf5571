"""Registration of a run's model: which models, under which alias, and with which facts."""

from __future__ import annotations

import json
import math
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from reelflow.base.common import content_hash, flatten
from reelflow.data.ingest.results import IngestSummary
from reelflow.evaluation.results import Results
from reelflow.registry import store
from reelflow.registry.package import package
from reelflow.registry.register import CHALLENGER, Entry, Registrar
from reelflow.registry.store import CHAMPION, NoAnswer, Version, shown
from reelflow.saved_model.check import ServingResult

REGISTRATION_FILE: Final = "registration.json"


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
    """Version in the serving folder; None if it was not pushed."""
    user_vocabulary: Path
    movie_vocabulary: Path
    config: Mapping[str, Any]
    """The configuration that the model depends on, as nested mappings."""
    code: str
    """Hash of the source."""
    run_id: str
    files: Sequence[Path] = ()
    """Report and model card."""

    @property
    def alias(self) -> str | None:
        """Alias in the registry; None: the model is not registered."""
        if self.blessed:
            return CHAMPION if self.pushed_version else CHALLENGER
        if self.serving.blessed and self.results.gate.only_worse_than_champion:
            return CHALLENGER
        return None


@dataclass(frozen=True)
class Registration:
    """Content of `registration.json`."""

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
        content = asdict(self)
        if self.version is None:
            del content["version"], content["model_hash"]
        return json.dumps(content, indent=2)

    @classmethod
    def read(cls, folder: Path) -> Registration:
        """Read the file from an artifact's folder."""
        return cls(**json.loads((folder / REGISTRATION_FILE).read_text(encoding="utf-8")))


def register_candidate(registrar: Registrar, candidate: Candidate) -> Registration:
    """Register a model that passed, or that breaks the champion's bounds only.

    A model that the registry has already, byte for byte, gets no second version.

    Raises:
        NoAnswer: the registry cannot be asked; says what the serving folder holds meanwhile.
    """
    registry, alias = shown(registrar.uri), candidate.alias
    if alias is None:
        return Registration(registry, registrar.name, None)
    try:
        version = _register(registrar, candidate, alias)
    except NoAnswer as error:
        if candidate.pushed_version is None:
            raise
        raise NoAnswer(
            f"{error.message} The serving folder has the new model already, as version "
            f"{candidate.pushed_version}; the registry's champion is another one, or none.",
            "Run again when the registry answers: all but the registration comes from the cache.",
        ) from error
    return Registration(registry, registrar.name, alias, version.number, version.model_hash)


def _register(registrar: Registrar, candidate: Candidate, alias: str) -> Version:
    """Return the model's version, new or found by its hash, with its alias.

    The tag with the pushed version comes last. It marks this push as done: a later run on the same
    push leaves the alias where a user may have moved it.
    """
    model_hash = content_hash(candidate.saved_model)
    version = registrar.find(model_hash)
    if version is None:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch, "model")
            package(candidate.saved_model, folder)
            version = registrar.register(_entry(candidate, folder, model_hash))
    if candidate.blessed:  # a later refusal, against a better champion, does not take it back
        registrar.tag(version.number, _verdict(True, []))
    if alias == CHALLENGER:
        if registrar.aliases().get(CHAMPION) != version.number:
            registrar.challenge(version.number)
    elif version.tags.get(store.PUSHED_VERSION) != candidate.pushed_version:
        registrar.promote(version.number)
        registrar.tag(version.number, {store.PUSHED_VERSION: candidate.pushed_version or ""})
    return version


def _entry(candidate: Candidate, folder: Path, model_hash: str) -> Entry:
    data = candidate.data
    tags = {
        store.PIPELINE_RUN: candidate.run_id,
        store.GIT: git_commit(),
        store.CODE_HASH: candidate.code,
        store.DATA_HASH: data.data_hash,
        store.USERS_HASH: content_hash(candidate.user_vocabulary),
        store.MOVIES_HASH: content_hash(candidate.movie_vocabulary),
        store.ROWS: str(data.rows.train),
        **_verdict(candidate.blessed, candidate.results.gate.reasons),
    }
    return Entry(
        model=folder,
        model_hash=model_hash,
        run_name=candidate.run_id or model_hash[:12],
        description=f"{data.rows.train:,} train ratings, {data.format}.",
        metrics=metrics_of(candidate.results, candidate.serving),
        params=params_of(candidate.config),
        tags={key: value for key, value in tags.items() if value},
        files=candidate.files,
        texts={"config.json": json.dumps(candidate.config, indent=2)},
    )


def _verdict(blessed: bool, reasons: Sequence[str]) -> dict[str, str]:
    return {store.BLESSED: "true" if blessed else "false", store.REASONS: "\n".join(reasons)}


def metrics_of(results: Results, check: ServingResult) -> dict[str, float]:
    """Return the model's metrics by path, `unseen/top_100`, those of baselines below their names.

    Values that are not finite are left out; `latency_ms` is the median of ServingCheck.
    """
    metrics = flatten(asdict(results.metrics), "/")
    for name, summary in results.baselines.items():
        metrics |= flatten(asdict(summary), "/", f"{name}/")
    metrics["latency_ms"] = check.latency_ms.get("median")
    return {
        path: float(value)
        for path, value in metrics.items()
        if isinstance(value, int | float) and math.isfinite(value)
    }


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
