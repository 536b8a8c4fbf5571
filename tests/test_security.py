"""The statements of SECURITY.md that are about the whole source: doors, writers, deserialisers."""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reelflow.data import parquet
from tests.command import ROOT

SOURCES = [p for top in ("reelflow", "components", "pipeline") for p in (ROOT / top).rglob("*.py")]
DOOR = ROOT / "reelflow/data/parquet.py"
_RUN_CODE = {"pickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
"""Modules whose readers run what a file says."""
_ARROW_READERS = re.compile(
    r"ParquetFile|ParquetDataset|read_(table|metadata|schema|pandas|feather|parquet)|open_stream"
    r"|open_file|RecordBatch(Stream|File)Reader|feather|read_record_batch|read_message"
)


def _names(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports, and the names that it uses as `module.name`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, (ast.Name, ast.Attribute)):
            yield ast.unparse(node)


def test_parquet_and_arrow_files_have_one_door() -> None:
    others = [
        (path.relative_to(ROOT), name)
        for path in SOURCES
        if path != DOOR
        for name in _names(path)
        if re.match(r"(pa|pq|pyarrow|pd|pandas)\b", name)
        and _ARROW_READERS.search(name.rpartition(".")[2])
    ]
    assert others == []


def test_nothing_is_unpickled_and_no_yaml_makes_objects() -> None:
    found = [
        (path.relative_to(ROOT), name)
        for path in SOURCES
        for name in _names(path)
        if name.split(".")[0] in _RUN_CODE
        or name
        in ("yaml.load", "yaml.unsafe_load", "yaml.full_load", "numpy.lib.format.read_array")
    ]
    assert found == []
    text = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    assert not re.search(r"allow_pickle\s*=\s*True", text)
    assert len(re.findall(r"\bnp\.load\(", text)) == len(
        re.findall(r"\bnp\.load\([^()]*allow_pickle=False\)", text)
    )


def test_text_reaches_a_terminal_by_the_printable_console_alone() -> None:
    assert [p for p in SOURCES if re.search(r"\bConsole\(", p.read_text(encoding="utf-8"))] == []


def test_no_csv_file_for_people_has_a_writer_of_its_own() -> None:
    writers = {path for path in SOURCES for name in _names(path) if name == "csv.writer"}
    # The sample and the log of events are read back as data, to the letter.
    as_data = {"reelflow/data/sample/__init__.py", "reelflow/data/event_lines.py"}
    assert {str(path.relative_to(ROOT)) for path in writers} == as_data


class _Bomb:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return exec, ("import tests.test_security as t; t.exploded.append(1)",)


exploded: list[int] = []


@pytest.fixture
def crafted() -> pa.Table:
    """A table whose column has a type of Python's own, as a file may say (CVE-2023-47248)."""
    import pickle

    metadata = {
        b"ARROW:extension:name": b"arrow.py_extension_type",
        b"ARROW:extension:metadata": pickle.dumps(_Bomb()),
    }
    schema = pa.schema([pa.field("user_id", pa.int64(), metadata=metadata)])
    return pa.table([[1]], schema=schema)


@pytest.mark.parametrize("form", ["others", "own", "stream", "file"])
def test_no_door_runs_what_a_crafted_type_holds(
    crafted: pa.Table, tmp_path: Path, form: str
) -> None:
    path = tmp_path / "crafted"
    if form in ("others", "own"):
        pq.write_table(crafted, path)
    else:
        new = pa.ipc.new_stream if form == "stream" else pa.ipc.new_file
        sink = io.BytesIO()
        with new(sink, crafted.schema) as writer:
            writer.write_table(crafted)
        path.write_bytes(sink.getvalue())
    exploded.clear()
    if form == "others":
        with (
            pytest.raises(parquet.BadInput, match="extension type"),
            parquet.open_parquet(str(path)),
        ):
            pass
    elif form == "own":
        with parquet.open_own(path) as file:
            file.read()
    elif form == "stream":
        parquet.from_ipc(path.read_bytes())
    else:
        parquet.map_batch(path)
    assert exploded == []
