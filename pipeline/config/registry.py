"""Where models are registered."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from pipeline.config.section import Section

_URI = re.compile(r"[a-z][a-z0-9+.-]*://.+")


def _check_uri(uri: str | None) -> str | None:
    if uri is None:
        return None
    if not _URI.fullmatch(uri):
        raise ValueError("a registry is named by its URI, as https://HOST or sqlite:////FILE")
    if urlsplit(uri).password is not None:
        raise ValueError(
            "no password belongs into a configuration: leave registry.uri out and set "
            "MLFLOW_TRACKING_URI, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
        )
    return uri


class RegistryConfig(Section):
    """The MLflow Model Registry, whose champion every new model is held against."""

    uri: Annotated[str | None, AfterValidator(_check_uri)] = None
    """URI of an MLflow tracking server, or of a database as `sqlite:////srv/mlflow.db`; none means
    the environment's MLFLOW_TRACKING_URI, or else a file inside the output folder. Credentials are
    MLflow's own environment variables."""
    name: Annotated[str, Field(pattern=r"^[^/:@%\"']+$", max_length=200)] = "reelflow"
    """The registered model."""
    promote: bool = True
    """Push a model that passes the gate and make it champion; false registers it as challenger, and
    `reelflow models promote challenger` lets it serve."""
