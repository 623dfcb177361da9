"""The containers and tenants that the export shows, and those that it no longer shows although raw knows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from defender_assets.core.errors import ExportError
from defender_assets.core.export import Export
from defender_assets.core.quality.check_outcome import CheckOutcome
from defender_assets.core.quality.signs import REMEMBERED, KnownSigns
from defender_assets.core.schemas import TABLES

RECENT_FOLDER = timedelta(days=7)
"""The folder of a tenant without newer records may have been emptied by a lifecycle rule."""

FOLDER = "folder of "
"""Beginning of the subject of a result about a tenant's folder in a container."""

ADVICE = (
    "Check the Streaming API in the Defender portal, the firewall and keys of the account, and its newest blobs "
    "(`defender-assets check`)."
)
"""What to do about an export that is silent or no longer shows a part."""


@dataclass(frozen=True)
class Shown:
    """What an export shows: its containers (None: the credentials do not say), and the tenants of each.

    What `unreadable` containers hold is unknown.
    """

    containers: frozenset[str] | None
    tenants: Mapping[str, frozenset[str]]
    unreadable: frozenset[str] = frozenset()


def look_at(export: Export) -> Shown:
    """Return what the export shows; a container that cannot be listed is unknown.

    Raises:
        ExportError: when no container can be listed.
    """
    tenants: dict[str, frozenset[str]] = {}
    failure: ExportError | None = None
    for table in TABLES:
        try:
            tenants[table.container] = frozenset(name.lower() for name in export.tenants(table.container))
        except ExportError as error:
            failure = error
    if failure is not None and not tenants:
        raise failure
    unreadable = frozenset(table.container for table in TABLES) - tenants.keys()
    try:
        containers = frozenset(export.containers())
    except ExportError:
        # listing the containers needs a permission that listing the blobs does not
        return Shown(None, tenants, unreadable)
    return Shown(containers, tenants, unreadable)


def missing_parts(known: KnownSigns, shown: Shown, at: datetime) -> dict[str, CheckOutcome]:
    """Return for each container, and each tenant's folder in it, that raw knows, whether the export shows it.

    A folder counts while raw's newest record of it is younger than RECENT_FOLDER; a container for as long as raw's
    newest record of it is younger than REMEMBERED, and always if that holds for no container.
    """
    newest: dict[str, dict[str, datetime]] = {}
    for table in TABLES:
        of_table = {
            tenant: signs.by_table[table.name].newest for tenant, signs in known.items() if table.name in signs.by_table
        }
        if of_table:
            newest[table.container] = of_table
    any_recent = any(at - moment < REMEMBERED for moments in newest.values() for moment in moments.values())
    outcomes = {}
    for container, moments in newest.items():
        last = max(moments.values())
        if container in shown.unreadable or (any_recent and at - last >= REMEMBERED):
            continue
        shown_tenants = shown.tenants.get(container, frozenset())
        exists = bool(shown_tenants) or (shown.containers is not None and container in shown.containers)
        # without a list of the containers, an empty one may have been emptied by a lifecycle rule
        gone = not exists and (shown.containers is not None or at - last < RECENT_FOLDER)
        outcomes[f"container {container}"] = _shown(f"container {container}", last, gone=gone)
        for tenant, moment in sorted(moments.items()):
            if exists and at - moment < RECENT_FOLDER:
                what = f"{FOLDER}tenant {tenant} in {container}"
                outcomes[what] = _shown(what, moment, gone=tenant not in shown_tenants)
    return outcomes


def _shown(what: str, last: datetime, *, gone: bool) -> CheckOutcome:
    if not gone:
        return CheckOutcome(passed=True, summary=f"The export shows {what}.")
    summary = (
        f"The export no longer shows {what}, of which the lake has records up to {last:%Y-%m-%d %H:%M} UTC: the "
        "container was deleted, the export goes elsewhere, or a disk is not mounted. What the lake has stays there. "
        f"{ADVICE}"
    )
    return CheckOutcome(passed=False, summary=summary)
