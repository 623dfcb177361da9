"""Parses raw batches into the typed tables and the quarantine. The columns are defined in `schemas`."""
