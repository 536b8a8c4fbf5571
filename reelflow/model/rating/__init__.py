"""Rating models: the stars that a user would give a movie, or the probability of a like."""

from reelflow.model.rating.frozen import FrozenRatings
from reelflow.model.rating.model import RatingModel, bias_ratings, freeze

__all__ = ["FrozenRatings", "RatingModel", "bias_ratings", "freeze"]
