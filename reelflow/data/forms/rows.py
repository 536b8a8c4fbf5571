"""The rows of a block of a ratings file, as every form gives them to the checks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from reelflow.data.reading import Positions

Codes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Rows:
    """Rows of a ratings file.

    Attributes:
        size: bytes of the file that they were read from.
        offsets: int64 [rows], the place of each in the file: of its first byte in the content, or
            its number, from 0, where the form has no lines.
        reasons: uint8 [rows], code of a `reelflow.data.quarantine.Reason` where a row cannot be
            read, else 0.
        table: canonical columns of the rows that can [readable]: strings, or numbers and times of
            Arrow.
        at: int64 [readable], which of the rows those are.
    """

    size: int
    offsets: Positions
    reasons: Codes
    table: pa.Table
    at: Positions
