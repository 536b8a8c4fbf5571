"""Tuner's artifact I/O."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import Any, Final

from tfx.components.tuner import executor as tfx_tuner
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact
from tfx.types.standard_component_specs import CUSTOM_CONFIG_KEY, TUNER_RESULTS_KEY
from tfx.utils import io_utils, json_utils

from components.tuner.plot import parallel_coordinates
from components.tuner.run import TUNER
from components.tuner.search import Search
from components.tuner.space import keys
from pipeline.config import TunerConfig

TRIALS_FILE: Final = "trials.json"
PLOT_FILE: Final = "parallel_coordinates.html"


class Executor(tfx_tuner.Executor):
    """Searches as TFX's own does, and keeps every trial and a plot beside the results."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Search for the best hyperparameters."""
        search = tfx_tuner.search(input_dict, exec_properties, self._get_tmp_dir())
        assert isinstance(search, Search)
        best = search.best  # raises if there is none
        tfx_tuner.write_best_hyperparameters(search, output_dict)
        tuner = TunerConfig.model_validate(
            json_utils.loads(exec_properties[CUSTOM_CONFIG_KEY])[TUNER]
        )
        lower = search.oracle.objective.direction == "min"
        report = {
            "objective": tuner.objective,
            "lower_is_better": lower,
            "algorithm": tuner.algorithm,
            "best": best.number,
            "trials": [asdict(trial) for trial in search.found],
        }
        folder = artifact_utils.get_single_uri(output_dict[TUNER_RESULTS_KEY])
        io_utils.write_string_file(os.path.join(folder, TRIALS_FILE), json.dumps(report, indent=2))
        page = parallel_coordinates(search.found, keys(tuner.space), tuner.objective, lower)
        io_utils.write_string_file(os.path.join(folder, PLOT_FILE), page)
