"""Leads as OCSF Detection Findings. The mapping of fields is in docs/ocsf.md."""
