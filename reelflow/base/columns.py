"""The names of all columns, splits and vocabularies."""

from typing import Final

# Canonical columns of ratings (one row a rating).
USER_ID: Final = "user_id"  # string
MOVIE_ID: Final = "movie_id"  # string; the identity of a movie, never its title
RATING: Final = "rating"  # float32
TIMESTAMP: Final = "timestamp"  # int64, seconds; may be missing

# Further canonical columns of the catalogue (one row a movie).
TITLE: Final = "title"  # string, shown only
GENRES: Final = "genres"  # list of strings, may be empty
YEAR: Final = "year"  # int64, release year; may be missing
FEATURES: Final = "features"  # list of strings "name=value": the columns declared as features

RATINGS_COLUMNS: Final = (USER_ID, MOVIE_ID, RATING, TIMESTAMP)
MOVIES_COLUMNS: Final = (MOVIE_ID, TITLE, GENRES, YEAR)

# Canonical columns of users' attributes, read only if the configuration opts in.
GENDER: Final = "gender"  # string
AGE: Final = "age"  # int64, years
OCCUPATION: Final = "occupation"  # string
ZIP_CODE: Final = "zip_code"  # string
USER_ATTRIBUTES: Final = (GENDER, AGE, OCCUPATION, ZIP_CODE)

# The place of a row in the ratings files, and why it is refused.
FILE: Final = "file"  # int32, index of the ratings file in the source
OFFSET: Final = "offset"  # int64, position of the row's first byte in the file's content
REASON: Final = "reason"  # uint8, code of a reelflow.data.quarantine.Reason

POSTER: Final = "poster"  # string; read by the server only

RATING_COUNT: Final = "rating_count"  # int64; ratings in train, in an exported catalogue only

# Splits of the `examples` artifact, and of the encoded ratings.
TRAIN: Final = "train"
VALIDATION: Final = "validation"
TEST: Final = "test"
RATING_SPLITS: Final = (TRAIN, VALIDATION, TEST)

# Splits of the `catalogue` artifact.
MOVIES: Final = "movies"  # every movie once
USERS: Final = "users"  # every user of train once, with the first and last train timestamp
CATALOGUE_SPLITS: Final = (MOVIES, USERS)

# Outputs of the Transform graph.
USER_INDEX: Final = "user_index"  # int64; the vocabulary's size stands for an unknown user
MOVIE_INDEX: Final = "movie_index"  # int64; the vocabulary's size stands for an unknown movie
GENRE_INDICES: Final = "genre_indices"  # sparse int64
YEAR_SCALED: Final = "year_scaled"  # float32, z-score of the release year, 0 where missing
FEATURE_INDICES: Final = "feature_indices"  # sparse int64, if movie columns are declared
USER_FEATURE_INDICES: Final = "user_feature_indices"  # sparse int64, if opted in
DAY: Final = "day"  # float32, days since the first train rating, 0 where missing

# Vocabularies in the Transform graph.
USER_VOCABULARY: Final = "user_id_vocabulary"
MOVIE_VOCABULARY: Final = "movie_id_vocabulary"
GENRE_VOCABULARY: Final = "genre_vocabulary"
FEATURE_VOCABULARY: Final = "feature_vocabulary"
USER_FEATURE_VOCABULARY: Final = "user_feature_vocabulary"

# Options of the preprocessing graph, from the configuration.
MOVIE_FEATURES: Final = "movie_features"
USER_FEATURES: Final = "user_features"

# Added by the encoder: position in the train split, which is sorted by user and time, before which
# all of this user's ratings are strictly earlier than the row.
HISTORY_END: Final = "history_end"  # int64

# Tasks, as `model.json` names those that a model was trained on.
RETRIEVAL_TASK: Final = "retrieval"
RATING_TASK: Final = "rating"
TASKS: Final = (RETRIEVAL_TASK, RATING_TASK)

# Terms of the retrieval score, as `model.mix` and `model.json` name them.
TOWERS: Final = "towers"
ITEMS: Final = "items"  # a linear model of which movies are rated by the same users
SPECTRAL: Final = "spectral"  # the main directions in which users differ
DIRECTED: Final = "directed"  # a linear model of which movies follow which
NEIGHBOURS: Final = "neighbours"  # a linear model of what is rated around the same time

# Inputs and outputs of the serving signatures.
HISTORY: Final = "history"
STARS: Final = "stars"  # float32, one for each movie of `history`; NaN where not known
ORDER: Final = "order"  # "blend", "retrieval" or "stars"
MIN_RATING: Final = "min_rating"  # float32, least predicted stars of a movie in a list
INCLUDE_SEEN: Final = "include_seen"  # bool
ALLOWED: Final = "allowed"  # bool, one for each movie of the catalogue
AS_JUDGED: Final = "as_judged"  # bool, True hides the test ratings
EXCLUSIONS: Final = "exclusions"
K: Final = "k"
SCORE: Final = "score"
SOURCE: Final = "source"
RANK_RAW: Final = "rank_raw"
RANK_UNSEEN: Final = "rank_unseen"
SEEN: Final = "seen"
WEIGHT: Final = "weight"
REST: Final = "rest"
COUNT: Final = "count"
LIKE: Final = "like"  # float32, probability; of models that have one
