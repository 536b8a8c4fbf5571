"""The two towers, the rating models, their training and their export."""
