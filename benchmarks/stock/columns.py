"""Column and vocabulary names of the stock graph: the header of `ratings.csv`."""

USER = "userId"
MOVIE = "movieId"
RATING = "rating"
USER_VOCABULARY = "user_vocabulary"
MOVIE_VOCABULARY = "movie_vocabulary"
