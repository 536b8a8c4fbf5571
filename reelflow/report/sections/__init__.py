"""Sections of the report, from artifacts to typed blocks."""
