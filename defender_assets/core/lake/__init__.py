"""Delta tables: opening, fenced commits, compaction, retention. Callers decide the rows."""
