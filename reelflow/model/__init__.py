"""The two-tower retrieval model and the rating model, their training and their export.

`towers` has the query and the candidate tower, `retrieval` the retrieval task, `rating` the rating
model; `tasks` joins them, `fit` trains them, `signatures` and `export` make the SavedModel.
"""
