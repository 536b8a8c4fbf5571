"""RatingsExampleGen: ratings files to leak-free splits, a catalogue and a quarantine."""

from __future__ import annotations

from typing import ClassVar

from tfx import types
from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.components.example_gen.utils import make_default_input_config, make_default_output_config
from tfx.dsl.components.base import executor_spec
from tfx.dsl.components.base.base_beam_component import BaseBeamComponent
from tfx.proto import example_gen_pb2
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter
from tfx.types.standard_component_specs import FileBasedExampleGenSpec

from components.artifacts import Quarantine
from components.example_gen.driver import Driver, Request
from components.example_gen.executor import (
    CATALOGUE_KEY,
    DATA_KEY,
    QUARANTINE_KEY,
    SPANS_KEY,
    SPLIT_KEY,
    Executor,
)
from pipeline.config import DataConfig, SplitConfig
from ratings.spans import is_pattern

CODE_KEY = "code"

_NOT_USED = {"path", "span", "spans", "span_marker"}
_NOT_USED |= {"max_quarantined", "max_drift", "statistics_rows"}


class RatingsExampleGenSpec(FileBasedExampleGenSpec):
    """FileBasedExampleGen with the configuration, and two outputs more."""

    PARAMETERS: ClassVar = {
        **FileBasedExampleGenSpec.PARAMETERS,
        DATA_KEY: ExecutionParameter(type=str),
        SPLIT_KEY: ExecutionParameter(type=str),
        SPANS_KEY: ExecutionParameter(type=str),
        CODE_KEY: ExecutionParameter(type=str),
    }
    OUTPUTS: ClassVar = {
        **FileBasedExampleGenSpec.OUTPUTS,
        CATALOGUE_KEY: ChannelParameter(type=standard_artifacts.Examples),
        QUARANTINE_KEY: ChannelParameter(type=Quarantine),
    }


class RatingsExampleGen(FileBasedExampleGen):
    """Reads a data folder of any format that `ratings.formats` knows.

    Its driver finds spans and fingerprints the files, so that a run on unchanged files with an
    unchanged configuration is taken from the cache.

    Outputs, as docs/architecture.md has them:
        examples: splits train, validation and test.
        catalogue: splits movies and users.
        quarantine: counts and refused rows.
    """

    SPEC_CLASS = RatingsExampleGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)
    DRIVER_CLASS = Driver

    def __init__(
        self, data: DataConfig, split: SplitConfig, input_base: str, code: str = ""
    ) -> None:
        """Set up the component.

        Args:
            data: how to read the files.
            split: how to split the ratings.
            input_base: the data folder; its placeholders stand for the spans that `data` wants.
            code: version of the code; a new one takes nothing from the cache.
        """
        base, pattern = split_pattern(input_base)
        input_config = make_default_input_config(pattern)
        spec = RatingsExampleGenSpec(
            input_base=base,
            input_config=input_config,
            output_config=make_default_output_config(input_config),
            output_data_format=example_gen_pb2.PayloadFormat.FORMAT_PARQUET,
            output_file_format=example_gen_pb2.FileFormat.FILE_FORMAT_PARQUET,
            # What the rows do not depend on is left out, so that changing it keeps the cache.
            data=data.model_dump_json(exclude=_NOT_USED),
            split=split.model_dump_json(),
            spans=Request.of(data).to_json() if is_pattern(input_base) else "",
            code=code,
            examples=types.Channel(type=standard_artifacts.Examples),
            catalogue=types.Channel(type=standard_artifacts.Examples),
            quarantine=types.Channel(type=Quarantine),
        )
        # FileBasedExampleGen's own constructor would make its own specification.
        BaseBeamComponent.__init__(self, spec=spec)


def split_pattern(folder: str) -> tuple[str, str]:
    """A folder to the part before the first placeholder and the pattern of the files below it."""
    if not is_pattern(folder):
        return folder, "*"
    before = folder[: folder.index("{")]
    base, slash, _ = before.rpartition("/")
    return base or slash or ".", f"{folder[len(base) + len(slash) :].rstrip('/')}/*"
