"""One lead as one OCSF event."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from defender_assets.core.identifiers import stable_id
from defender_assets.core.lake.table_spec import BUILT_VERSION
from defender_assets.outputs.ocsf import codes
from defender_assets.outputs.ocsf.evidences import (
    Object,
    device,
    evidences,
    filled,
    milliseconds,
    observables,
    resources,
)

# These depend on which copy of a re-delivered record was kept, or on when a day was built, and equal records must give
# equal events.
BY_COPY = frozenset({"first_seen_at", "last_updated_at", "sources", BUILT_VERSION.name})
# Columns that are mapped to fields of the event; all others go to `unmapped`.
_MAPPED = BY_COPY | {
    "accounts", "alert_id", "alert_time", "applications", "attack_techniques", "category", "change", "cloud_resources",
    "detection_source", "device_id", "device_name", "device_seen_at", "device_type", "entities", "export_date",
    "files", "ip_addresses", "lead_id", "logon_sessions", "machine_group", "mailboxes", "mails", "original_device_id",
    "os_build", "os_platform", "os_version", "other_entities", "portal_url", "processes", "product", "registry",
    "risk_score", "service_source", "severity", "tenant_id", "title", "urls",
}  # fmt: skip


def event_of(lead: Mapping[str, Any]) -> Object:
    """Return a lead's row as a Detection Finding (class 2004) of OCSF 1.8.0, profiles host and security_control.

    The same row always gives the same event: no clock is read.
    """
    activity = codes.UPDATE if lead["change"] == "updated" else codes.CREATE
    title = lead["title"]
    source = filled(name=lead["service_source"] or lead["product"], uid=lead["product"], vendor_name="Microsoft")
    return filled(
        activity_id=activity,
        category_uid=codes.CATEGORY_UID,
        class_uid=codes.CLASS_UID,
        type_uid=codes.CLASS_UID * 100 + activity,
        severity_id=codes.severity_id(lead["severity"]),
        severity=lead["severity"],
        status_id=codes.SUPPRESSED if lead.get("muted_by") else codes.NEW,
        is_alert=True,
        # never null: records without Timestamp are quarantined
        time=milliseconds(lead["alert_time"]),
        message=title,
        risk_score=lead["risk_score"],
        metadata=filled(
            version=codes.OCSF_VERSION,
            profiles=["host", "security_control"],
            product=source,
            tenant_uid=lead["tenant_id"],
            uid=event_uid(lead),
            original_event_uid=lead["alert_id"],
            log_provider="defender-assets",
        ),
        finding_info=filled(
            uid=lead["lead_id"],
            uid_alt=lead["alert_id"],
            title=title,
            types=[lead["category"]] if lead["category"] else [],
            data_sources=[lead["detection_source"]] if lead["detection_source"] else [],
            attacks=codes.attacks(lead["category"], lead["attack_techniques"] or []),
            created_time=milliseconds(lead["alert_time"]),
            src_url=lead["portal_url"],
            product=source,
        ),
        device=device(lead),
        evidences=evidences(lead),
        resources=resources(lead),
        observables=observables(lead),
        unmapped=filled(**{name: lead[name] for name in _unmapped(tuple(lead))}),
    )


@cache
def _unmapped(columns: tuple[str, ...]) -> list[str]:
    return sorted(name for name in columns if name not in _MAPPED)


def event_uid(lead: Mapping[str, Any]) -> str:
    """Return the event's id: a change on another day is another event of the same finding."""
    return stable_id(lead["tenant_id"], f"{lead['lead_id']}\0{lead['export_date'].isoformat()}")
