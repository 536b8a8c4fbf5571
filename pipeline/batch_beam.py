"""Lists for all users on Beam: each worker writes parts, files of their own in one folder."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from reelflow.serving.batch import Job, write_part

PART: Final = 20_000
"""Users or movies of one part."""


class _WritePart(beam.DoFn):
    """Write a part; the model is loaded once a worker process."""

    def __init__(self, job: Job, parts: int, folder: str, ending: str) -> None:
        super().__init__()
        self._arguments = job, parts, folder, ending

    def process(self, part: int) -> Iterator[int]:
        job, parts, folder, ending = self._arguments
        yield write_part(job, part, parts, folder, ending)


def write_on_beam(job: Job, folder: Path, ending: str, arguments: Sequence[str]) -> int:
    """Write the lists of a job into a folder, in parts; return how many parts there are.

    Args:
        job: the lists; the folder of the model is one that every worker can read.
        folder: for the parts, which every worker can write to.
        ending: of their names, with its form.
        arguments: of Beam's pipeline: engine and workers.

    Raises:
        BadInput: conditions are wrong.
    """
    job.check()
    parts = max(1, math.ceil(len(job.ids) / PART))
    folder.mkdir(parents=True, exist_ok=True)
    with beam.Pipeline(options=PipelineOptions([*arguments])) as pipeline:
        _ = (
            pipeline
            | beam.Create(range(parts))
            | beam.Reshuffle()
            | beam.ParDo(_WritePart(job, parts, str(folder), ending))
        )
    return parts
