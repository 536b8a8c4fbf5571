"""Ratings tables to split, deduplicated and counted examples."""
