"""The one door to Parquet and Arrow files: those of others, models' and our own.

A file names the Arrow types of its columns. Before Arrow 14.0.1 a type of Python's own is unpickled
on opening, which runs whatever code the file holds (CVE-2023-47248). Such types are unknown here,
and a file of others that has any is refused. No other module opens such files (SECURITY.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from reelflow.base.errors import BadInput
from reelflow.data import containers

MAGIC: Final = b"PAR1"

_PICKLED: Final = "arrow.py_extension_type"
_EXTENSION: Final = b"ARROW:extension:name"


class _Unknown(pa.ExtensionType):
    """Stands for types of Python's own: nothing in it is unpickled."""

    def __init__(self, storage: pa.DataType) -> None:
        super().__init__(storage, _PICKLED)

    def __arrow_ext_serialize__(self) -> bytes:
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage: pa.DataType, serialized: bytes) -> _Unknown:
        return cls(storage)


def _forget_pickled_types() -> None:
    """Put `_Unknown` in the place of Arrow's own type, or of another's guard."""
    try:
        pa.unregister_extension_type(_PICKLED)
    except pa.ArrowKeyError:
        pass
    pa.register_extension_type(_Unknown(pa.null()))


@contextmanager
def open_parquet(path: str) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file.

    Raises:
        BadInput: it is damaged, or has columns of a type that Arrow does not know.
    """
    _forget_pickled_types()
    remedy = "Restore the file, or take it out of the data folder."
    with containers.open_content(path) as content:
        if not content.seekable():
            raise BadInput(f"{path} is a compressed Parquet file.", "Unpack it first.")
        try:
            file = pq.ParquetFile(content)
            unknown = [field.name for field in file.schema_arrow if not _is_plain(field)]
            if unknown:
                raise BadInput(
                    f"{path}: {', '.join(unknown)}: columns of an Arrow extension type are not "
                    "read.",
                    "Write the file with plain types.",
                )
            yield file
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            problem = str(error).strip().partition("\n")[0][:200]
            raise BadInput(f"{path}: the Parquet file is damaged: {problem}", remedy) from error


def open_own(path: str | Path) -> pq.ParquetFile:
    """Open a Parquet file that Reelflow has written: an artifact, a model's catalogue."""
    _forget_pickled_types()
    return pq.ParquetFile(path)


def from_ipc(data: bytes) -> pa.Table:
    """Read a table from an Arrow IPC stream, without copying its data."""
    _forget_pickled_types()
    with pa.ipc.open_stream(data) as reader:
        return reader.read_all()


def map_batch(path: Path) -> pa.RecordBatch:
    """Memory-map the only record batch of an Arrow IPC file."""
    _forget_pickled_types()
    with pa.ipc.open_file(pa.memory_map(str(path))) as reader:
        return reader.get_batch(0)


def column_starts(path: Path) -> list[int]:
    """Return where in the file the values of each column of `map_batch` begin, in bytes."""
    _forget_pickled_types()
    with pa.memory_map(str(path)) as file, pa.ipc.open_file(file) as reader:
        batch = reader.get_batch(0)
        file.seek(0)
        begin = file.read_buffer(1).address
        values = (column.buffers()[1] for column in batch.columns)
        return [0 if value is None else value.address - begin for value in values]


def row_ranges(path: str, chunk_bytes: int) -> Iterator[tuple[int, int]]:
    """Cut a file at its row groups into parts of about `chunk_bytes`.

    Yields:
        Number of the first row, and of the first row behind the part.

    Raises:
        BadInput: the file cannot be read.
    """
    with open_parquet(path) as file:
        start = end = size = 0
        for at in range(file.num_row_groups):
            group = file.metadata.row_group(at)
            end, size = end + group.num_rows, size + group.total_byte_size
            if size >= chunk_bytes:
                yield start, end
                start, size = end, 0
        if end > start:
            yield start, end


def _is_plain(field: pa.Field) -> bool:
    """Return False for a field of an extension type, or one with such a field in it."""
    inner = field.type
    if _EXTENSION in (field.metadata or {}) or isinstance(inner, pa.BaseExtensionType):
        return False
    if isinstance(inner, pa.DictionaryType):
        return not isinstance(inner.value_type, pa.BaseExtensionType)
    if pa.types.is_list(inner) or pa.types.is_large_list(inner):
        return _is_plain(inner.value_field)
    if pa.types.is_map(inner):
        return _is_plain(inner.key_field) and _is_plain(inner.item_field)
    return not pa.types.is_struct(inner) or all(map(_is_plain, inner))
