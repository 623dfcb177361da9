"""Parses lines of the export into rows of a typed table. No account is read and nothing is committed here."""
