"""The list of a SavedModel's files, with sizes and hashes, by which a copy is known to be whole.

The exporter writes it last, into the model itself, so that every copy of the model has it: the
artifact, the registry's, the pushed version, one copied by hand.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from reelflow.base.errors import BadInput
from reelflow.saved_model.files import EXTRA, SAVED_MODEL, version_of

MANIFEST: Final = f"{EXTRA}/manifest.json"
_BLOCK: Final = 1 << 20


class FileEntry(BaseModel):
    """One file of the model."""

    model_config = ConfigDict(frozen=True)

    bytes: int
    sha256: str


class Manifest(BaseModel):
    """Content of `manifest.json`."""

    model_config = ConfigDict(frozen=True)

    files: dict[str, FileEntry]
    """Path inside the folder, with `/`, to its entry; without the manifest itself."""


def write_manifest(saved_model: Path) -> None:
    """List the files of a model that is complete but for this list."""
    paths = (path for path in sorted(saved_model.rglob("*")) if path.is_file())
    names = {path.relative_to(saved_model).as_posix(): path for path in paths}
    names.pop(MANIFEST, None)
    files = {
        name: FileEntry(bytes=path.stat().st_size, sha256=_sha256(path))
        for name, path in names.items()
    }
    target = saved_model / MANIFEST
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(Manifest(files=files).model_dump(), indent=2), encoding="utf-8")


def find_damage(saved_model: Path, by_content: bool = False) -> str | None:
    """Return a sentence on the first file that is not as the exporter wrote it; None if all are.

    A model without a manifest, of an older version or another program, is whole if TensorFlow's own
    file is there.

    Args:
        saved_model: the model's folder.
        by_content: True reads every file; False looks at their sizes.
    """
    if not (saved_model / SAVED_MODEL).is_file():
        return f"{saved_model} holds no {SAVED_MODEL}."
    path = saved_model / MANIFEST
    if not path.is_file():
        return None
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except ValidationError:
        return f"{path} is cut short or damaged."
    for name, entry in manifest.files.items():
        file = saved_model / name
        if not file.is_file():
            return f"{file} is missing."
        if (size := file.stat().st_size) != entry.bytes:
            return f"{file} has {size:,} of {entry.bytes:,} bytes."
        if by_content and _sha256(file) != entry.sha256:
            return f"{file} has other content than the exporter wrote."
    return None


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def latest_version(serving_dir: Path) -> Path:
    """Return the newest pushed model: the folder with the highest whole number.

    A version whose files are not all there, as while it is copied, is passed over.

    Raises:
        BadInput: there is no whole model.
    """
    folders = whole_versions(serving_dir)
    if not folders:
        raise BadInput(f"There is no pushed model in {serving_dir}.", "Run `reelflow run` first.")
    return folders[0]


def whole_versions(serving_dir: Path) -> list[Path]:
    """Return the folders of the versions whose files are all there, the newest first."""
    folders = serving_dir.iterdir() if serving_dir.is_dir() else iter(())
    versions = {number: at for at in folders if (number := version_of(at)) is not None}
    newest_first = (versions[number] for number in sorted(versions, reverse=True))
    return [folder for folder in newest_first if find_damage(folder) is None]
