"""Versions on trial beside the champion: a canary, which serves some users, and a shadow.

A shadow is asked what the champion is asked, and only compared. Each has an alias in the registry,
and in the serving folder a folder of its own, `canary/<version>`, which TensorFlow Serving passes
over. The share of the users that are concerned lies beside it, so that servers see it change.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Final

from reelflow.base.common import content_hash
from reelflow.registry.push import Readers, let_read, push, versions, withdraw
from reelflow.registry.store import VARIANTS, Registry, Variant
from reelflow.saved_model.manifest import whole_versions

SHARE: Final = "reelflow.share"
"""Tag of a version on trial: the share of the users, from 0 to 1."""
_FILE: Final = "share.json"


def is_of_share(user_id: str, share: float) -> bool:
    """Return True for users of a share, the same ones always: those of a smaller share first."""
    digest = hashlib.sha256(user_id.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def place(
    model: Path, base: Path, variant: Variant, share: float, readers: Readers = "owner"
) -> Path:
    """Put a model on trial, in place of another that was; it is a push in every other respect.

    Args:
        model: folder of the SavedModel.
        base: the serving folder.
        variant: what it is to be.
        share: of the users, from 0 to 1.
        readers: as in `push`.

    Returns:
        The version's folder. Its number is that of no other version in the serving folder.

    Raises:
        OSError: there is no room, or no right to write.
    """
    folders = (base, *(base / name for name in VARIANTS if name != variant))
    highest = max((number for folder in folders for number in versions(folder)[-1:]), default=0)
    set_share(base, variant, share, readers)
    now = max(int(time.time()), highest + 1)
    return push(model, base / variant, keep=1, now=now, readers=readers)


def set_share(base: Path, variant: Variant, share: float, readers: Readers) -> None:
    """Write the share of the users of a variant, in one step."""
    folder = base / variant
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{_FILE}"
    partial.write_text(json.dumps({"share": share}), encoding="utf-8")
    let_read([folder, partial], base, readers)
    os.replace(partial, folder / _FILE)


def on_trial(base: Path, variant: Variant) -> tuple[Path, float] | None:
    """Return a variant's folder and its share of the users; None without one."""
    newest = whole_versions(base / variant)[:1]
    try:
        share = float(json.loads((base / variant / _FILE).read_bytes())["share"])
    except (OSError, ValueError, KeyError, TypeError):  # being changed, or not ours
        return None
    return (newest[0], share) if newest else None


def drop(registry: Registry, base: Path, variant: Variant) -> int | None:
    """End a trial; return the number of the version that had the alias, None without one.

    The folder goes first, so that servers stop at once; a drop that was cut off may be repeated.

    Raises:
        NoAnswer: the registry does not answer; the folder is gone by then.
    """
    if (base / variant).is_dir():
        withdraw(base / variant)
    number = registry.aliases().get(variant)
    if number is not None:
        with registry.asking():
            registry.client.delete_registered_model_alias(registry.name, variant)
    return number


def has_served(model: Path, base: Path) -> bool:
    """Return True if the newest pushed version is this model, byte for byte."""
    newest = whole_versions(base)[:1]
    return bool(newest) and content_hash(newest[0]) == content_hash(model)
