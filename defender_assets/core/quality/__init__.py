"""Checks of a day's data: whether it adds up, and whether the source is healthy. No Dagster here."""
