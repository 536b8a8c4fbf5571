"""Train and validation as one train split: what the last training learns from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np

from components.transform.encode import timelines, with_histories
from components.transform.encoded import EncodedData, EncodedRatings


def with_validation(data: EncodedData) -> EncodedData:
    """The same ratings with those of validation among those of train; validation is empty then.

    Vocabularies stay those of train: a validation rating of an unknown user or film is left out.
    Train is in memory afterwards, 32 bytes a rating.
    """
    held_out = data.validation
    known = held_out.only_known(data.sizes.users, len(data.catalogue))
    train = timelines(_joined(data.train, known))
    return replace(
        data,
        train=train,
        validation=held_out.take(np.arange(0)),
        test=with_histories(data.test, train),
    )


def learned_from(data: EncodedData, train: Mapping[str, Any]) -> EncodedData:
    """The ratings that a model was exported with.

    Args:
        data: the encoded ratings.
        train: the section `train` of the model's configuration; an older one knows no refit.
    """
    return with_validation(data) if train.get("refit") and len(data.validation) else data


def _joined(one: EncodedRatings, other: EncodedRatings) -> EncodedRatings:
    return EncodedRatings(
        *(
            np.concatenate([getattr(one, column.name), getattr(other, column.name)])
            for column in fields(EncodedRatings)
        )
    )
