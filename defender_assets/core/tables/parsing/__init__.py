"""Lines of the export to rows of a typed table. Nothing is read from an account or committed here."""
