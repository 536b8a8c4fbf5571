"""Ratings from files to canonical tables: formats, checks, spans, download, the sample."""
