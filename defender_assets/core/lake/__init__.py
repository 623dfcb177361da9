"""Delta tables: opening, committing behind a fence, compaction, retention. Which rows they hold is decided above."""
