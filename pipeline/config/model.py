"""The two-tower retrieval model and the rating model."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.config.section import Section


class ModelConfig(Section):
    """The two-tower retrieval model and the rating model."""

    embedding_size: Annotated[int, Field(ge=1, le=1024)] = 64
    """Size of the query and candidate embeddings."""
    query: Literal["user_id", "history", "both"] = "both"
    """What the query tower knows a user by: an embedding of its own, its last films, or both."""
    history_length: Annotated[int, Field(ge=1, le=1000)] = 20
    """Last films that the history tower looks at, with learned position weights."""
    genres: bool = True
    """Give the candidate tower the films' genres."""
    year: bool = True
    """Give the candidate tower the release year."""
    loss: Literal["full_softmax", "in_batch_softmax"] = "full_softmax"
    """Retrieval loss: over the whole catalogue, or over the films of the batch."""
    logq: bool = True
    """Correct the in-batch softmax for how often a film is in a batch."""
    mask_seen: bool = True
    """Leave the user's other films out of the full softmax, as serving does."""
    query_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Share of the query embedding dropped in training."""
    retrieval_weight: Annotated[float, Field(ge=0)] = 1.0
    """Weight of the retrieval task in the joint loss; 0 switches it off."""
    rating_weight: Annotated[float, Field(ge=0)] = 1.0
    """Weight of the rating task in the joint loss; 0 switches it off."""
    rating_embedding_size: Annotated[int, Field(ge=1, le=1024)] = 64
    """Size of the rating model's factors."""
    rating_bag: Annotated[int, Field(ge=0)] = 500
    """Ratings that stand for a user's or a film's implicit feedback in the rating model, at most,
    drawn once; 0 switches implicit feedback off."""
    rating_l2: Annotated[float, Field(ge=0)] = 0.03
    """L2 on the rating model's factors."""
    rating_bias_l2: Annotated[float, Field(ge=0)] = 0.001
    """L2 on the rating model's biases."""

    @model_validator(mode="after")
    def _some_task(self) -> ModelConfig:
        if self.retrieval_weight == self.rating_weight == 0:
            raise ValueError("retrieval_weight and rating_weight must not both be 0")
        return self
