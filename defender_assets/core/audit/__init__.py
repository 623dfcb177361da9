"""The audit: export, raw, tables and leads compared from their contents alone, and the certificate. Writes no table."""
