"""The paths inside the output folder, and the hash of the code."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from reelflow.config import Config


PIPELINE_NAME: Final = "reelflow"


@dataclass(frozen=True)
class RunFolder:
    """The files of one run, in `OUTPUT/runs/<run id>/`."""

    path: Path

    @property
    def summary(self) -> Path:
        """The outcome of the run, for programs."""
        return self.path / "summary.json"

    @property
    def config(self) -> Path:
        """The effective configuration; `--config` reads it back."""
        return self.path / "config.toml"

    @property
    def tuner(self) -> Path:
        """The tuner's trials, if it ran."""
        return self.path / "tuner"

    @property
    def report(self) -> Path:
        """The page to look at, if the run got as far; the model card lies beside it."""
        return self.path / "report.html"

    @property
    def log(self) -> Path:
        """The messages of TensorFlow, Beam and TFX."""
        return self.path / "log.txt"


@dataclass(frozen=True)
class Layout:
    """The output folder; an absolute path, so that MLMD's URIs hold in every working directory."""

    output: Path

    @classmethod
    def of(cls, output: str | Path) -> Layout:
        """Return the layout of a folder that need not exist yet, `~` allowed."""
        return cls(Path(os.path.abspath(Path(output).expanduser())))

    @property
    def metadata(self) -> Path:
        """MLMD's sqlite file."""
        return self.output / "metadata.db"

    @property
    def artifacts(self) -> Path:
        """The pipeline root."""
        return self.output / "artifacts"

    @property
    def serving(self) -> Path:
        """The folder of pushed versions, unless the configuration names another."""
        return self.output / "serving" / PIPELINE_NAME

    def serving_of(self, config: Config) -> Path:
        """The folder of pushed versions, as the configuration has it."""
        return Path(config.push.directory) if config.push.directory else self.serving

    @property
    def registry(self) -> Path:
        """MLflow's sqlite file, unless another registry is named; artifacts lie beside it."""
        return self.output / "registry" / "mlflow.db"

    @property
    def sample(self) -> Path:
        """The built-in synthetic ratings, written once."""
        return self.output / "sample"

    @property
    def runs(self) -> Path:
        """One folder a run."""
        return self.output / "runs"

    @property
    def latest(self) -> Path:
        """Link to the newest run's folder, of a failed run too."""
        return self.output / "latest"

    @property
    def lock(self) -> Path:
        """File that the process at work in this folder locks."""
        return self.output / ".lock"

    @property
    def push_lock(self) -> Path:
        """File that every change of serving folder and registry locks, for seconds."""
        return self.output / ".push-lock"

    def run(self, run_id: str) -> RunFolder:
        """The folder of one run."""
        return RunFolder(self.runs / run_id)

    def comparison(self, started: str) -> Path:
        """The page of one `reelflow compare`; its JSON and its log lie beside it."""
        return self.output / "compare" / f"{started}.md"

    def difference(self, a: str, b: str) -> Path:
        """The page of `reelflow report A B`."""
        return self.output / "compare" / f"{a}--{b}.html"

    def point_latest_to(self, run_id: str) -> None:
        """Make `latest` name this run; a reader sees the old link or the new one, never none."""
        fresh = self.output / f".latest-{os.getpid()}"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(Path(self.runs.name) / run_id, target_is_directory=True)
        os.replace(fresh, self.latest)


def code_hash(root: Path = Path(__file__).parents[2]) -> str:
    """Return the SHA-256 of the source files below `root` that decide what the nodes compute.

    It is part of TFX's cache key: a new version of the code computes everything anew.
    """
    folders = (root / "components", root / "reelflow")
    files = {root / "pipeline/definition.py", *(f for at in folders for f in at.rglob("*.py"))}
    digest = hashlib.sha256()
    for file in sorted(file for file in files if file.is_file()):
        if file.is_relative_to(root / "reelflow/serving"):  # not of a node
            continue
        digest.update(str(file.relative_to(root)).encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()
