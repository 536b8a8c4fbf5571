"""ML Metadata in MySQL: who asks, says where by environment variables, which come from a secret."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ratings.errors import BadInput

if TYPE_CHECKING:
    from ml_metadata.proto import metadata_store_pb2

VARIABLES = {
    "host": "REELFLOW_METADATA_HOST",
    "port": "REELFLOW_METADATA_PORT",
    "database": "REELFLOW_METADATA_DATABASE",
    "user": "REELFLOW_METADATA_USER",
    "password": "REELFLOW_METADATA_PASSWORD",
}
"""Key in the secret to environment variable."""


def connection_config(
    environment: Mapping[str, str] = os.environ,
) -> metadata_store_pb2.ConnectionConfig:
    """Where the metadata are.

    Raises:
        BadInput: a variable is missing, or the port is no number.
    """
    from tfx.orchestration import metadata

    missing = [name for name in VARIABLES.values() if not environment.get(name)]
    if missing:
        raise BadInput(
            f"{', '.join(missing)}: not set.",
            "The tasks take them from the secret that kubeflow.metadata_secret names.",
        )
    values = {key: environment[name] for key, name in VARIABLES.items()}
    if not values["port"].isascii() or not values["port"].isdigit():
        raise BadInput(f"{VARIABLES['port']}: {values['port']} is no port.")
    return metadata.mysql_metadata_connection_config(
        host=values["host"],
        port=int(values["port"]),
        database=values["database"],
        username=values["user"],
        password=values["password"],
    )
