"""Train, validation and test."""

from __future__ import annotations

from enum import Enum

from pydantic import model_validator

from pipeline.config.section import Section


class SplitKind(str, Enum):
    """How ratings are divided into train, validation and test."""

    RANDOM = "random"
    TEMPORAL = "temporal"
    LEAVE_LAST = "leave_last"
    PREDEFINED = "predefined"


class SplitConfig(Section):
    """Train, validation and test, the same on every machine for the same seed.

    `random` and `temporal` take shares, `leave_last` counts per user, `predefined` file names or
    globs inside the data folder.
    """

    kind: SplitKind = SplitKind.RANDOM
    """`random`, `temporal` (a global cut), `leave_last` (last ratings of each) or `predefined`."""
    train: float | str | None = None
    """Share of train (what the others leave), or files (`predefined`)."""
    validation: int | float | str | None = None
    """Share (0.1), count per user (1), or files; unnamed `predefined`: a share of train."""
    test: int | float | str | None = None
    """Share (0.1), count per user (1), or files."""
    seed: int = 42
    """Seed of the `random` split and of the validation share of `predefined`."""

    @model_validator(mode="after")
    def _kinds(self) -> SplitConfig:
        if self.kind is SplitKind.PREDEFINED:
            if not (isinstance(self.train, str) and isinstance(self.test, str)):
                raise ValueError("a predefined split needs files in split.train and split.test")
            if not isinstance(self.validation, str):
                _check_share("split.validation", self.validation_share)
        elif any(isinstance(x, str) for x in (self.train, self.validation, self.test)):
            raise ValueError("file names are for split.kind = 'predefined' only")
        elif self.kind is SplitKind.LEAVE_LAST:
            if self.validation_count < 0 or self.test_count < 1:
                raise ValueError("leave_last needs split.test of at least 1 rating per user")
            if any(float(x) != int(x) for x in (self.validation or 0, self.test or 0)):
                raise ValueError("leave_last takes whole numbers of ratings per user")
        else:
            _check_share("split.validation", self.validation_share)
            _check_share("split.test", self.test_share)
            train = 1.0 - self.validation_share - self.test_share
            if self.test_share == 0 or train <= 0:
                raise ValueError("split.train and split.test must both be above 0")
            if self.train is not None and abs(float(self.train) - train) > 1e-6:
                raise ValueError("split.train, split.validation and split.test must sum to 1")
        return self

    @property
    def validation_share(self) -> float:
        """Share of validation, for `random` and `temporal`, and of train for `predefined`."""
        return 0.1 if self.validation is None else float(self.validation)

    @property
    def test_share(self) -> float:
        """Share of test, for `random` and `temporal`."""
        return 0.1 if self.test is None else float(self.test)

    @property
    def validation_count(self) -> int:
        """Ratings per user, for `leave_last`."""
        return 1 if self.validation is None else int(self.validation)

    @property
    def test_count(self) -> int:
        """Ratings per user, for `leave_last`."""
        return 1 if self.test is None else int(self.test)


def _check_share(name: str, value: float) -> None:
    if not 0.0 <= value < 1.0:
        raise ValueError(f"{name} must be a share from 0 to below 1, not {value:g}")
