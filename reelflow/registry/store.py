"""The MLflow Model Registry: versions with their files, and the aliases `champion`, `challenger`.

MLflow takes seconds to import: that happens with the first request, and not at all where the
registry is a file that does not exist yet. Every change is one call of MLflow or a sequence that
can be broken off anywhere and begun again: a model that is registered already is found by its hash.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import unquote, urlsplit

from reelflow.base.errors import BadInput, ReelflowError
from reelflow.registry.storage import fetch
from reelflow.saved_model.files import SAVED_MODEL

SCHEME: Final = "models:/"
CHAMPION: Final = "champion"
"""Alias of the version that serves and that new models are compared with."""
Variant = Literal["canary", "shadow"]  # aliases of versions on trial
VARIANTS: Final[tuple[Variant, Variant]] = ("canary", "shadow")
CANARY, SHADOW = VARIANTS
CHALLENGER: Final = "challenger"
"""Alias of the newest version that passed or that only the champion surpasses."""
CHAMPIONS: Final = "reelflow.champions"
"""Tag of the registered model: numbers of the champions, the present one last."""
_REMEMBERED = 50  # champions that the tag holds at most
_BATCH = 100  # parameters that MLflow takes at a time
MODEL: Final = "model"
"""Folder of the registered model among a version's artifacts."""
MODEL_HASH: Final = "reelflow.model_hash"
"""Tag of a version: SHA-256 of its SavedModel (`content_hash`)."""

# Further tags of versions.
GIT: Final = "mlflow.source.git.commit"
DATA_HASH: Final = "reelflow.data_hash"
USERS_HASH: Final = "reelflow.user_vocabulary_hash"
MOVIES_HASH: Final = "reelflow.movie_vocabulary_hash"
CODE_HASH: Final = "reelflow.code_hash"
ROWS: Final = "reelflow.train_rows"
PIPELINE_RUN: Final = "reelflow.run_id"
BLESSED: Final = "reelflow.blessed"
"""`true` if gate and ServingCheck let the version pass, else `false`."""
REASONS: Final = "reelflow.reasons"
"""The gate's reasons for its refusal, one a line."""
PUSHED_VERSION: Final = "reelflow.pushed_version"
"""The version's number in the serving folder when it was last pushed by a run."""

TRACKING_URI: Final = "MLFLOW_TRACKING_URI"
"""Variable with the registry's URI, where the configuration has none."""
_SQLITE = "sqlite:///"
REMEDY = (
    "Name the registry by registry.uri, --registry or MLFLOW_TRACKING_URI, and a model in it as "
    "models:/NAME@ALIAS."
)
_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",  # a log is no screen
    # By default it goes on for minutes before it says that a server does not answer.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
}


def set_up_mlflow() -> None:
    """Set variables that MLflow reads when it is imported, unless the environment has them."""
    for variable, value in _DEFAULTS.items():
        os.environ.setdefault(variable, value)


def address(configured: str | None, file: Path) -> str:
    """Return the URI that is configured, or MLFLOW_TRACKING_URI, or that of an sqlite file."""
    return configured or os.environ.get(TRACKING_URI) or f"{_SQLITE}{file}"


def shown(uri: str, text: str | None = None) -> str:
    """A registry's URI, or a text about it, without a password that the URI may hold."""
    password = urlsplit(uri).password
    text = uri if text is None else text
    return text.replace(f":{password}@", ":***@") if password else text


def sqlite_file(uri: str) -> Path | None:
    """Return the file of an sqlite URI; None for other registries."""
    return Path(unquote(uri[len(_SQLITE) :])) if uri.startswith(_SQLITE) else None


class NoAnswer(ReelflowError):
    """The registry cannot be reached or used; exit code 1, as nothing is wrong with the input."""


@dataclass(frozen=True)
class Version:
    """One version of the registered model."""

    number: int
    created: int
    """Milliseconds since 1970."""
    tags: Mapping[str, str]
    run_id: str | None
    """MLflow's run that has metrics, parameters and artifacts."""

    @property
    def model_hash(self) -> str:
        """SHA-256 of the SavedModel; empty if another program registered it."""
        return self.tags.get(MODEL_HASH, "")

    @property
    def blessed(self) -> bool | None:
        """True if gate and ServingCheck let it pass; None if another program registered it."""
        blessed = self.tags.get(BLESSED)
        return None if blessed is None else blessed == "true"

    @property
    def reasons(self) -> list[str]:
        """The gate's reasons for its refusal, as sentences."""
        return self.tags.get(REASONS, "").splitlines()

    @property
    def train_rows(self) -> int | None:
        """Ratings of the train split."""
        return int(self.tags[ROWS]) if ROWS in self.tags else None


@dataclass(frozen=True)
class Facts:
    """The record of a version in its run of MLflow's; empty if it has no run."""

    metrics: Mapping[str, float]
    params: Mapping[str, str]
    artifacts: str
    """URI of the folder with report, model card and model."""


class Registry:
    """One registered model in one registry."""

    def __init__(self, uri: str, name: str) -> None:
        """Take the URI of MLflow's tracking server or database, and the registered model's name."""
        self.uri = uri
        self.name = name

    @property
    def untouched(self) -> bool:
        """True if it is a file that does not exist yet, so that it holds nothing."""
        file = sqlite_file(self.uri)
        return file is not None and not file.is_file()

    @cached_property
    def client(self) -> Any:
        """MLflow's client of this registry alone, whatever the environment says."""
        set_up_mlflow()
        import mlflow

        return mlflow.MlflowClient(self.uri, self.uri)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Turn MLflow's own errors into ours.

        Raises:
            NoAnswer: MLflow has failed; the message has its first line.
        """
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (MlflowException, SQLAlchemyError, OSError) as error:
            words = str(error).strip().splitlines() or [type(error).__name__]
            raise NoAnswer(
                f"The model registry {shown(self.uri)} does not answer: "
                f"{shown(self.uri, words[0])}",
                REMEDY,
            ) from error

    def aliases(self) -> dict[str, int]:
        """Return version numbers by alias; empty if there is no such registered model."""
        if self.untouched:
            return {}
        from mlflow.exceptions import MlflowException

        with self.asking():
            try:
                model = self.client.get_registered_model(self.name)
            except MlflowException as error:
                if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                    return {}
                raise
        return {alias: int(number) for alias, number in model.aliases.items()}

    def version(self, number: int) -> Version:
        """Return one version by its number.

        Raises:
            NoAnswer: there is none.
        """
        with self.asking():
            return _version(self.client.get_model_version(self.name, str(number)))

    def by_alias(self, alias: str) -> Version | None:
        """Return the version of an alias; None if there is no such alias."""
        number = self.aliases().get(alias)
        return None if number is None else self.version(number)

    def download(self, number: int, folder: Path) -> None:
        """Copy a version's SavedModel; the folder appears as a whole or not at all.

        Raises:
            BadInput: the version holds no SavedModel.
        """
        with self.asking():
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder.parent) as beside:
                source = self.client.get_model_version_download_uri(self.name, str(number))
                fetch(source, Path(beside), self.uri)
                models = sorted(Path(beside).rglob(SAVED_MODEL))
                if not models:
                    raise BadInput(
                        f"{SCHEME}{self.name}/{number} holds no {SAVED_MODEL}.",
                        "Register a folder that `reelflow run` has pushed.",
                    )
                os.replace(models[0].parent, folder)

    def versions(self) -> list[Version]:
        """Return all versions, ascending; none if there is no such registered model."""
        if self.untouched:
            return []
        search = f"name='{self.name}'"
        with self.asking():
            page = self.client.search_model_versions(search)
            versions = list(page)
            while page.token:
                page = self.client.search_model_versions(search, page_token=page.token)
                versions += page
        return sorted(map(_version, versions), key=lambda version: version.number)

    def find(self, model_hash: str) -> Version | None:
        """Return the newest version with this model; None if it is not registered."""
        matches = [version for version in self.versions() if version.model_hash == model_hash]
        return matches[-1] if matches else None

    def facts(self, version: Version) -> Facts:
        """Return the metrics, parameters and artifacts of a version."""
        if version.run_id is None:
            return Facts({}, {}, "")
        with self.asking():
            run = self.client.get_run(version.run_id)
        return Facts(dict(run.data.metrics), dict(run.data.params), str(run.info.artifact_uri))

    def register(
        self,
        model: Path,
        model_hash: str,
        *,
        run_name: str,
        description: str,
        metrics: Mapping[str, float],
        params: Mapping[str, str],
        tags: Mapping[str, str],
        files: Sequence[Path] = (),
        texts: Mapping[str, str] | None = None,
    ) -> Version:
        """Make a version of a model that has none, with a run of MLflow's that describes it.

        Args:
            model: the folder with `MLmodel` (`registration.package`).
            model_hash: of its SavedModel (`content_hash`).
            run_name: of the run, which gets metrics and params as well.
            description: of the version.
            metrics: by path.
            params: by path.
            tags: of the run and of the version.
            files: report, model card and so on, kept beside the model.
            texts: further files, content by name.

        Raises:
            NoAnswer: nothing was registered.
        """
        from mlflow.entities import Metric, Param

        tags = {**tags, MODEL_HASH: model_hash}
        with self.asking():
            self._ensure_model()
            run = self.client.create_run(self._experiment(), run_name=run_name, tags=tags)
            run_id, state = run.info.run_id, "FAILED"
            try:
                listed = [Param(key, value) for key, value in params.items()]
                for start in range(0, len(listed), _BATCH):
                    self.client.log_batch(run_id, params=listed[start : start + _BATCH])
                now = int(time.time() * 1000)
                measured = [Metric(key, value, now, 0) for key, value in metrics.items()]
                self.client.log_batch(run_id, metrics=measured)
                self.client.log_artifacts(run_id, str(model), MODEL)
                for file in files:
                    self.client.log_artifact(run_id, str(file))
                for name, text in (texts or {}).items():
                    self.client.log_text(run_id, text, name)
                state = "FINISHED"
            finally:
                self.client.set_terminated(run_id, state)
            return _version(
                self.client.create_model_version(
                    self.name,
                    source=f"{run.info.artifact_uri}/{MODEL}",
                    run_id=run_id,
                    tags=tags,
                    description=description,
                )
            )

    def _ensure_model(self) -> None:
        from mlflow.exceptions import MlflowException

        description = "Movie recommenders by Reelflow. The alias champion serves."
        try:
            self.client.create_registered_model(self.name, description=description)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _experiment(self) -> str:
        """Return the id of the experiment that has the model's name."""
        experiment = self.client.get_experiment_by_name(self.name)
        if experiment is not None:
            return str(experiment.experiment_id)
        file = sqlite_file(self.uri)
        # Without a server, which has a place for artifacts, they lie beside the database.
        location = None if file is None else (file.absolute().parent / "artifacts").as_uri()
        return str(self.client.create_experiment(self.name, artifact_location=location))

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
        self.set_alias(CHAMPION, number)
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
        self.set_alias(CHAMPION, champions[-2])

    def set_alias(self, alias: str, number: int) -> None:
        """Make an alias stand for a version."""
        with self.asking():
            self.client.set_registered_model_alias(self.name, alias, str(number))

    def _remember(self, champions: Sequence[int]) -> None:
        text = " ".join(map(str, champions[-_REMEMBERED:]))
        with self.asking():
            self.client.set_registered_model_tag(self.name, CHAMPIONS, text)


def _version(version: Any) -> Version:
    """Return MLflow's ModelVersion as a `Version`."""
    return Version(
        number=int(version.version),
        created=int(version.creation_timestamp),
        tags=dict(version.tags),
        run_id=version.run_id or None,
    )
