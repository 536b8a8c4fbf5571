"""The version that is served: the highest pushed or that of an alias, exchanged without a pause."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import logging
import shutil
import time
from pathlib import Path

from reelflow.base.errors import BadInput, ReelflowError
from reelflow.registry import variants
from reelflow.registry.alias import Alias
from reelflow.registry.store import Variant
from reelflow.saved_model.client import ServedModel
from reelflow.saved_model.files import SAVED_MODEL
from reelflow.saved_model.manifest import MANIFEST, whole_versions
from reelflow.saved_model.shared import share, variables_of
from reelflow.serving.engine import Engine, MetricsOf
from reelflow.serving.limits import Limits
from reelflow.serving.middleware import Metrics
from reelflow.serving.posters import Posters

log = logging.getLogger("reelflow.serving")


class Versions:
    """The engine in use, which follows a folder or an alias.

    A new version is loaded and warmed up beside the old one, then takes its place by an assignment.
    Requests keep the engine that they began with, so none fails. A version whose files are not all
    there is passed over, and one that does not load until its files change; the old one stays. If
    the highest version is removed (a rollback), the highest that is left is served.
    """

    def __init__(
        self,
        source: Path | Alias,
        limits: Limits,
        metrics: Metrics,
        metrics_of: MetricsOf = lambda _: {},
        shared: Path | None = None,
        posters: Posters | None = None,
    ) -> None:
        """Load the first version.

        Args:
            source: a folder with one model, or with several versions in folders with whole numbers
                as names; or an alias in a model registry.
            limits: the size of a batch, for warming up.
            metrics: counts loads.
            metrics_of: finds the metrics of a version.
            shared: folder of the variables that several processes share; None for a process that
                has its own.
            posters: movies' own pictures; None: there are none.

        Raises:
            BadInput: there is no model, or it cannot be served.
        """
        self._source = source
        self._limits = limits
        self._metrics = metrics
        self._metrics_of = metrics_of
        self._shared = shared
        self._posters = posters
        self._refused: dict[Path, object] = {}
        """Folders that did not load, with the state of their files then."""
        self._looked: dict[Path, object] = {}
        """The newest folder of another model at the last look, with the state of its files."""
        self._lost = False
        self.engine = self._first()
        self._serve(self.engine)

    def on_trial(self, variant: Variant) -> tuple[Path, float] | None:
        """Return folder and share of the users of a version on trial; None without one.

        Raises:
            ReelflowError: the registry does not answer.
            OSError: the folder cannot be read.
        """
        if isinstance(self._source, Alias):
            return self._source.on_trial(variant)
        return variants.on_trial(self._source, variant)

    async def watch(self, seconds: float) -> None:
        """Look for another version every so many seconds, until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await asyncio.to_thread(self.refresh)
            except Exception:  # whatever it is, the next look may succeed
                log.exception("keeping version %s", self.engine.version)

    def refresh(self) -> bool:
        """Exchange the engine if another version is to be served; return True if it was."""
        try:
            folders = self._candidates()
            self._found()
        except (ReelflowError, OSError) as error:  # between two versions; disk or registry are away
            self._lose(error)
            return False
        for folder in folders:
            if folder == self.engine.model.path:
                return False
            state = files_state(folder)
            if self._refused.get(folder) == state or not self._has_settled(folder, state):
                continue
            try:
                engine = self.load(folder)
            except Exception:
                # Any fault of a new model must leave the old one in use.
                self._refuse(folder, state)
                version = self.engine.version
                log.exception("keeping version %s, as %s does not load", version, folder)
                return False
            self._serve(engine)
            return True
        return False

    def _first(self) -> Engine:
        """Load the newest version that can be served.

        Raises:
            BadInput: none can; of the newest.
        """
        first: BadInput | None = None
        for folder in self._candidates():
            state = files_state(folder)
            try:
                return self.load(folder)
            except BadInput as error:
                self._refuse(folder, state)
                log.warning("passing over a version: %s", error)
                first = first or error
        assert first is not None
        raise first

    def _has_settled(self, folder: Path, state: object) -> bool:
        """Return True for a model with a manifest, or whose files are as at the look before."""
        before, self._looked = self._looked.get(folder), {folder: state}
        return (folder / MANIFEST).is_file() or before == state

    def _refuse(self, folder: Path, state: object) -> None:
        self._refused[folder] = state
        self._metrics.loads.labels("failed").inc()

    def _lose(self, error: Exception) -> None:
        """Say once that the source of versions is away."""
        self._metrics.source.set(0)
        if not self._lost:
            log.warning("keeping version %s: %s", self.engine.version, error)
        self._lost = True

    def _found(self) -> None:
        self._metrics.source.set(1)
        if self._lost:
            log.warning("the source of versions is there again")
        self._lost = False

    def _candidates(self) -> list[Path]:
        """Return the folders to serve from, the preferred one first.

        Raises:
            ReelflowError: the registry does not answer, or there is no model.
        """
        if isinstance(self._source, Alias):
            return [self._source.folder()]
        if (self._source / SAVED_MODEL).is_file():
            return [self._source]
        folders = whole_versions(self._source)
        if not folders:
            raise BadInput(
                f"There is no pushed model in {self._source}.", "Run `reelflow run` first."
            )
        return folders

    def load(self, path: Path) -> Engine:
        """Load a version and warm it up, whether it is to be served or tried."""
        model = ServedModel.load(path)
        if self._shared is not None:
            self._share(model, self._shared)
        engine = Engine(model, self._metrics_of, self._posters)
        engine.warm_up(self._limits.batch)
        return engine

    def _share(self, model: ServedModel, shared: Path) -> None:
        """Share the variables with other processes; what was mapped two versions ago is removed."""
        state = repr((model.path, files_state(model.path)))
        folder = shared / hashlib.sha256(state.encode()).hexdigest()[:16]
        share(variables_of(model.signatures), folder)
        folders = sorted(shared.glob("*"), key=lambda path: path.stat().st_mtime)
        for old in folders[:-2]:
            shutil.rmtree(old, ignore_errors=True)

    def _serve(self, engine: Engine) -> None:
        self.engine = engine
        self._metrics.loads.labels("loaded").inc()
        self._metrics.version.set(engine.version)
        self._metrics.loaded.set(time.time())
        drop_unused()
        log.info("serving version %s, %s movies", engine.version, f"{len(engine.movies):,}")


def drop_unused() -> None:
    """Drop engines that are not used any more, and spare requests Python's walks through the rest.

    TensorFlow's objects form cycles, so that an old version would stay in memory; and there are so
    many that a full collection stops every request for a fifth of a second.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def files_state(folder: Path) -> object:
    """Return sizes and times of a folder's files, to notice changes."""
    files = [path.stat() for path in sorted(folder.rglob("*")) if path.is_file()]
    return [(file.st_size, file.st_mtime_ns) for file in files]
