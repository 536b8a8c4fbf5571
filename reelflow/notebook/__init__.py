"""A pushed model in a notebook: questions in Python, answers as tables and as posters."""
