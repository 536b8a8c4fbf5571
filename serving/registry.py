"""A model in the MLflow Model Registry, found by its alias."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import Any, Final

from ratings.errors import BadInput
from serving.model import SAVED_MODEL

SCHEME: Final = "models:/"
_ALIAS = re.compile(r"models:/([^/@]+)@([^/@]+)")
_REMEDY = "Name it as models:/NAME@ALIAS, and the registry by MLFLOW_TRACKING_URI."


class Alias:
    """The version that an alias stands for; it may stand for another one later.

    A version is downloaded once, into a folder that has its number as name.
    """

    def __init__(self, uri: str, cache: Path) -> None:
        """Takes the URI apart; asks nobody yet.

        Args:
            uri: `models:/NAME@ALIAS`; the registry is MLflow's own setting, MLFLOW_TRACKING_URI.
            cache: where downloaded versions are kept.

        Raises:
            BadInput: the URI is of another form.
        """
        found = _ALIAS.fullmatch(uri)
        if not found:
            raise BadInput(f"{uri} does not name a model by an alias.", _REMEDY)
        self._uri, (self._name, self._alias) = uri, found.groups()
        self._cache = cache / self._name
        self._client: Any = None

    def wanted(self) -> Path:
        """The SavedModel's folder.

        Raises:
            BadInput: the registry does not answer, or has no such model or alias, or it is no model
                of ours.
        """
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # a log is no screen
        import mlflow
        from mlflow.exceptions import MlflowException

        try:
            if self._client is None:
                self._client = mlflow.MlflowClient()
            version = self._client.get_model_version_by_alias(self._name, self._alias).version
            folder = self._cache / str(version)
            if not folder.is_dir():
                self._download(str(version), folder)
        except MlflowException as error:
            raise BadInput(f"{self._uri}: {error.message}", _REMEDY) from error
        return folder

    def _download(self, version: str, folder: Path) -> None:
        """Downloads beside the folder and renames: a version is there as a whole or not at all."""
        import mlflow

        self._cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._cache) as beside:
            downloaded = Path(beside, version)
            downloaded.mkdir()
            mlflow.artifacts.download_artifacts(
                artifact_uri=f"{SCHEME}{self._name}/{version}", dst_path=str(downloaded)
            )
            models = sorted(downloaded.rglob(SAVED_MODEL))
            if not models:
                raise BadInput(
                    f"{self._uri}: version {version} holds no {SAVED_MODEL}.",
                    "Register a folder that `reelflow run` has pushed.",
                )
            os.replace(models[0].parent, folder)
