"""Rating models: the stars that a user would give a movie, or the probability of a like."""

from reelflow.model.rating.bayes import bayesian_ratings, draws
from reelflow.model.rating.frozen import FrozenModel, FrozenRatings
from reelflow.model.rating.likes import LikeCurve
from reelflow.model.rating.model import RatingModel, bias_ratings, freeze, like_curve

__all__ = [
    "FrozenModel",
    "FrozenRatings",
    "LikeCurve",
    "RatingModel",
    "bayesian_ratings",
    "bias_ratings",
    "draws",
    "freeze",
    "like_curve",
]
