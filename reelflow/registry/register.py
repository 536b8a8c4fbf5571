"""Writing to the model registry: versions, and the aliases `champion` and `challenger`.

Every change is one call of MLflow or a sequence that can be broken off anywhere and begun again:
an entry that is registered already is found by its hash.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

from reelflow.registry.store import (
    CHAMPION,
    MODEL_HASH,
    NoAnswer,
    Registry,
    Version,
    as_version,
    sqlite_file,
)

CHALLENGER: Final = "challenger"
"""Alias of the newest version that passed or that only the champion surpasses."""
CHAMPIONS: Final = "reelflow.champions"
"""Tag of the registered model: numbers of the champions, the present one last."""
REMEMBERED: Final = 50
"""Most champions that the tag holds."""
BATCH: Final = 100
"""Parameters that MLflow takes at a time."""
_MODEL: Final = "model"
_DESCRIPTION: Final = "Movie recommenders by Reelflow. The alias champion serves."


@dataclass(frozen=True)
class Entry:
    """The content of a new version."""

    model: Path
    """The folder with `MLmodel` (reelflow/registry/package.py)."""
    model_hash: str
    run_name: str
    description: str
    metrics: Mapping[str, float]
    params: Mapping[str, str]
    tags: Mapping[str, str]
    files: Sequence[Path] = ()
    """Report, model card and so on, kept beside the model."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """Further files: name to content."""


@dataclass(frozen=True)
class Facts:
    """The record of a version in its run of MLflow's."""

    metrics: Mapping[str, float] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    artifacts: str = ""
    """URI of the folder with report, model card and model."""


class Registrar(Registry):
    """One registered model in one registry, for writing."""

    def versions(self) -> list[Version]:
        """All versions, ascending; empty if there is no such registered model."""
        if self.untouched:
            return []
        with self.asking():
            return sorted(map(as_version, self._search()), key=lambda version: version.number)

    def find(self, model_hash: str) -> Version | None:
        """Return the newest version with this model; None if it is not registered."""
        matches = [version for version in self.versions() if version.model_hash == model_hash]
        return matches[-1] if matches else None

    def facts(self, version: Version) -> Facts:
        """Return the record of a version; an empty one if it has no run."""
        if version.run_id is None:
            return Facts()
        with self.asking():
            run = self.client.get_run(version.run_id)
        return Facts(dict(run.data.metrics), dict(run.data.params), str(run.info.artifact_uri))

    def register(self, entry: Entry) -> Version:
        """Make a version of a model that has none, with a run of MLflow's that describes it.

        Raises:
            NoAnswer: nothing was registered.
        """
        with self.asking():
            self._ensure_model()
            with self._run(entry) as run:
                for params in _batches(entry.params.items()):
                    self._log(run, params=params)
                self._log(run, metrics=entry.metrics.items())
                self.client.log_artifacts(run.info.run_id, str(entry.model), _MODEL)
                for file in entry.files:
                    self.client.log_artifact(run.info.run_id, str(file))
                for name, text in entry.texts.items():
                    self.client.log_text(run.info.run_id, text, name)
            return as_version(
                self.client.create_model_version(
                    self.name,
                    source=f"{run.info.artifact_uri}/{_MODEL}",
                    run_id=run.info.run_id,
                    tags={**entry.tags, MODEL_HASH: entry.model_hash},
                    description=entry.description,
                )
            )

    def tag(self, number: int, tags: Mapping[str, str]) -> None:
        """Set tags of a version."""
        with self.asking():
            for key, value in tags.items():
                self.client.set_model_version_tag(self.name, str(number), key, value)

    def champions(self) -> list[int]:
        """Return the numbers of the champions, the present one last, which the alias decides."""
        aliases = self.aliases()
        if CHAMPION not in aliases:
            return []
        with self.asking():
            tags = self.client.get_registered_model(self.name).tags
        numbers = [int(number) for number in tags.get(CHAMPIONS, "").split()]
        # An alias that was moved by other means, or a process that was killed between two steps.
        return numbers if numbers[-1:] == [aliases[CHAMPION]] else [*numbers, aliases[CHAMPION]]

    def promote(self, number: int) -> None:
        """Make a version the champion, unless it is already."""
        champions = self.champions()
        if champions[-1:] == [number]:
            return
        self._point(CHAMPION, number)
        # The alias counts: the rest puts itself right when the registry answers again.
        with suppress(NoAnswer):
            self._remember([*champions, number])
            if self.aliases().get(CHALLENGER) == number:
                with self.asking():
                    self.client.delete_registered_model_alias(self.name, CHALLENGER)

    def step_back(self) -> None:
        """Make the champion before the present one champion again.

        Raises:
            ValueError: there was none before.
        """
        champions = self.champions()
        if len(champions) < 2:
            raise ValueError("there is no champion to go back to")
        self._remember(champions[:-1])  # first: until the alias moves, it decides
        self._point(CHAMPION, champions[-2])

    def challenge(self, number: int) -> None:
        """Make a version the challenger."""
        self._point(CHALLENGER, number)

    def _point(self, alias: str, number: int) -> None:
        with self.asking():
            self.client.set_registered_model_alias(self.name, alias, str(number))

    def _remember(self, champions: Sequence[int]) -> None:
        text = " ".join(map(str, champions[-REMEMBERED:]))
        with self.asking():
            self.client.set_registered_model_tag(self.name, CHAMPIONS, text)

    def _search(self) -> Iterator[Any]:
        token = None
        while True:
            page = self.client.search_model_versions(f"name='{self.name}'", page_token=token)
            yield from page
            if not (token := page.token):
                return

    def _ensure_model(self) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self.client.create_registered_model(self.name, description=_DESCRIPTION)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _experiment(self) -> str:
        """Id of the experiment that has the model's name."""
        experiment = self.client.get_experiment_by_name(self.name)
        if experiment is not None:
            return str(experiment.experiment_id)
        file = sqlite_file(self.uri)
        # Without a server, which has a place for artifacts, they lie beside the database.
        location = None if file is None else (file.absolute().parent / "artifacts").as_uri()
        return str(self.client.create_experiment(self.name, artifact_location=location))

    @contextmanager
    def _run(self, entry: Entry) -> Iterator[Any]:
        tags = {**entry.tags, MODEL_HASH: entry.model_hash}
        run = self.client.create_run(self._experiment(), run_name=entry.run_name, tags=tags)
        state = "FAILED"
        try:
            yield run
            state = "FINISHED"
        finally:
            self.client.set_terminated(run.info.run_id, state)

    def _log(self, run: Any, metrics: Any = (), params: Any = ()) -> None:
        from mlflow.entities import Metric, Param

        now = int(time.time() * 1000)
        self.client.log_batch(
            run.info.run_id,
            metrics=[Metric(key, value, now, 0) for key, value in metrics],
            params=[Param(key, value) for key, value in params],
        )


def _batches(items: Any) -> Iterator[list[tuple[str, str]]]:
    rest = iter(items)
    while part := list(islice(rest, BATCH)):
        yield part
