"""ServingCheck's artifact I/O."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from absl import logging
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact
from tfx.utils import io_utils, path_utils

from components.serving_check.check import check

MODEL: Final = "model"
BLESSING: Final = "blessing"
LATENCY_MS_MAX: Final = "latency_ms_max"
TIMEOUT_SECONDS: Final = "timeout_seconds"


class Executor(base_executor.BaseExecutor):
    """Checks the model and marks the blessing as TFX's InfraValidator does."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Bless the model or not; either way `reasons.json` says why."""
        model = artifact_utils.get_single_uri(input_dict[MODEL])
        verdict = check(
            Path(path_utils.serving_model_path(model)),
            latency_ms_max=exec_properties[LATENCY_MS_MAX],
            timeout_seconds=exec_properties[TIMEOUT_SECONDS],
        )
        for reason in verdict.reasons:
            logging.error("ServingCheck refuses the model: %s", reason)
        blessing = artifact_utils.get_single_instance(output_dict[BLESSING])
        marker = "INFRA_BLESSED" if verdict.blessed else "INFRA_NOT_BLESSED"
        io_utils.write_string_file(os.path.join(blessing.uri, marker), "")
        io_utils.write_string_file(os.path.join(blessing.uri, "reasons.json"), verdict.as_json())
        blessing.set_int_custom_property("blessed", int(verdict.blessed))
