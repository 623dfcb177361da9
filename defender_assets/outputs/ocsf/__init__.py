"""Leads as OCSF Detection Findings, for tools that speak OCSF. Which field comes from where: docs/ocsf.md."""

from defender_assets.outputs.ocsf.build import build_findings
from defender_assets.outputs.ocsf.schema import FINDING_COLUMNS, FINDING_SCHEMA

__all__ = ["FINDING_COLUMNS", "FINDING_SCHEMA", "build_findings"]
