"""From raw batches to typed tables and quarantine: parsing, de-duplication, commits. Columns are in `schemas`."""
