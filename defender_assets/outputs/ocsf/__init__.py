"""Leads as OCSF Detection Findings. The mapping of fields is in docs/ocsf.md."""

from defender_assets.outputs.ocsf.build import build_findings, update_findings
from defender_assets.outputs.ocsf.schema import FINDING_COLUMNS, FINDING_SCHEMA

__all__ = ["FINDING_COLUMNS", "FINDING_SCHEMA", "build_findings", "update_findings"]
