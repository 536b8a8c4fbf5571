"""Readers of the ways of writing rows, each with the same outcome: `rows.Rows`."""
