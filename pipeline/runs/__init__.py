"""Runs of the pipeline: launching, lineage, summaries, history, comparison."""
