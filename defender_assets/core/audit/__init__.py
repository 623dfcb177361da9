"""The audit: export, raw, tables and leads compared from their contents alone, and the certificate. Writes no table."""

from defender_assets.core.audit.findings import BlobEntry, Difference, Kind, TableAudit
from defender_assets.core.audit.walk import Audit, audit_days, days_held

__all__ = ["Audit", "BlobEntry", "Difference", "Kind", "TableAudit", "audit_days", "days_held"]
