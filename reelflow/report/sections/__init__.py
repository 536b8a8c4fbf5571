"""Sections of the report: functions from artifacts to blocks; `page.SECTIONS` lists them."""
