"""Reading from the MLflow Model Registry: versions by alias or number, and their files.

MLflow takes seconds to import: that happens with the first request, and not at all where the
registry is a file that does not exist yet.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from reelflow.base.errors import BadInput, ReelflowError
from reelflow.saved_model.files import SAVED_MODEL

SCHEME: Final = "models:/"
CHAMPION: Final = "champion"
"""Alias of the version that serves and that new models are compared with."""
MODEL_HASH: Final = "reelflow.model_hash"
"""Tag of a version: SHA-256 of its SavedModel (`content_hash`)."""

# Further tags of versions.
GIT: Final = "mlflow.source.git.commit"
"""MLflow's own tag for the commit."""
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

_URI_VARIABLE = "MLFLOW_TRACKING_URI"
_SQLITE = "sqlite:///"
_ALIAS = re.compile(r"models:/([^/@]+)@([^/@]+)")
_REMEDY = (
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
    """The registry's URI.

    Args:
        configured: URI of the configuration or the command line, if there is one.
        file: the sqlite file to use if neither that nor MLFLOW_TRACKING_URI names a registry.
    """
    return configured or os.environ.get(_URI_VARIABLE) or f"{_SQLITE}{file}"


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


class Registry:
    """One registered model in one registry, for reading."""

    def __init__(self, uri: str, name: str) -> None:
        """Remember the two; the first request comes later.

        Args:
            uri: of MLflow's tracking server or database.
            name: the registered model.
        """
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
                _REMEDY,
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
            return as_version(self.client.get_model_version(self.name, str(number)))

    def by_alias(self, alias: str) -> Version | None:
        """Return the version of an alias; None if there is no such alias."""
        number = self.aliases().get(alias)
        return None if number is None else self.version(number)

    def download(self, number: int, folder: Path) -> None:
        """Copy a version's SavedModel; the folder appears as a whole or not at all.

        Args:
            number: of the version.
            folder: the SavedModel's; its parent is made if missing.

        Raises:
            BadInput: the version holds no SavedModel.
        """
        with self.asking():
            import mlflow

            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder.parent) as beside:
                source = self.client.get_model_version_download_uri(self.name, str(number))
                mlflow.artifacts.download_artifacts(
                    artifact_uri=source,
                    dst_path=beside,
                    tracking_uri=self.uri,
                    registry_uri=self.uri,
                )
                models = sorted(Path(beside).rglob(SAVED_MODEL))
                if not models:
                    raise BadInput(
                        f"{SCHEME}{self.name}/{number} holds no {SAVED_MODEL}.",
                        "Register a folder that `reelflow run` has pushed.",
                    )
                os.replace(models[0].parent, folder)


def as_version(version: Any) -> Version:
    """Return MLflow's ModelVersion as a `Version`."""
    return Version(
        number=int(version.version),
        created=int(version.creation_timestamp),
        tags=dict(version.tags),
        run_id=version.run_id or None,
    )


class Alias:
    """The version that an alias stands for; it may stand for another one later.

    A version is downloaded once, into a folder that has its number as name.
    """

    def __init__(self, uri: str, cache: Path, registry: str) -> None:
        """Take the URI apart; the first request comes later.

        Args:
            uri: `models:/NAME@ALIAS`.
            cache: folder for downloaded versions.
            registry: URI of the registry.

        Raises:
            BadInput: the URI is of another form.
        """
        match = _ALIAS.fullmatch(uri)
        if not match:
            raise BadInput(f"{uri} does not name a model by an alias.", _REMEDY)
        name, self._alias = match.groups()
        self._uri, self._cache = uri, cache / name
        self._registry = Registry(registry, name)

    def folder(self) -> Path:
        """Return the folder of the alias's present version, downloaded if need be.

        Raises:
            ReelflowError: the registry does not answer, or has no such model or alias, or the
                version holds no SavedModel.
        """
        version = self._registry.by_alias(self._alias)
        if version is None:
            raise BadInput(f"{self._uri}: {shown(self._registry.uri)} has no such alias.", _REMEDY)
        # Numbers start anew in another registry, or in one that was made again.
        folder = self._cache / str(version.created) / str(version.number)
        if not folder.is_dir():
            self._registry.download(version.number, folder)
        return folder
