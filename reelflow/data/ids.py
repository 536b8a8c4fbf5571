"""Ids as they are compared: texts, or whole numbers however they are written."""

from __future__ import annotations

import re
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

_WHOLE: Final = r"^(-?)0*(\d+)(?:\.0*)?$"


def number_id(text: str) -> str:
    """Return `7` for `007` and `7.0`; other texts as they are."""
    return re.sub(_WHOLE, r"\1\2", text, flags=re.ASCII)


def number_ids(ids: pa.DictionaryArray) -> pa.DictionaryArray:
    """Return ids of which whole numbers are written in one way; only distinct ones are looked at.

    Args:
        ids: dictionary<int32, string> [rows].
    """
    written = pc.replace_substring_regex(ids.dictionary, _WHOLE, r"\1\2").dictionary_encode()
    return pa.DictionaryArray.from_arrays(written.indices.take(ids.indices), written.dictionary)
