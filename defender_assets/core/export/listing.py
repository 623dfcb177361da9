"""Listing a day of a container, tenant by tenant: a tenant or folder that cannot be listed does not hide the others."""

from dataclasses import dataclass, field
from datetime import date

from defender_assets.core.errors import ExportError
from defender_assets.core.export.blobs import Blob, Export, UnreadablePart, day_prefix
from defender_assets.core.schemas import TABLES, Table


@dataclass
class DayListing:
    """The blobs of a day, in order, and the parts that could not be listed.

    `answered` is False if nothing could be listed: neither the tenants nor the day of any of them.
    """

    blobs: list[Blob] = field(default_factory=list)
    unreadable: list[UnreadablePart] = field(default_factory=list)
    answered: bool = True

    @property
    def entries(self) -> list[Blob | UnreadablePart]:
        """Return the blobs, then the parts."""
        return [*self.blobs, *self.unreadable]


def list_day(export: Export, container: str, day: date) -> DayListing:
    """Return the listing of a day. Never raises `ExportError`: what failed is in the listing."""
    try:
        tenants = export.tenants(container)
    except ExportError as error:
        return DayListing(unreadable=[UnreadablePart(container, "", str(error))], answered=False)
    listed = [list_tenant(export, container, tenant, day) for tenant in tenants]
    return DayListing(
        sorted(blob for of_tenant in listed for blob in of_tenant.blobs),
        [part for of_tenant in listed for part in of_tenant.unreadable],
        not listed or any(of_tenant.answered for of_tenant in listed),
    )


def list_table_day(export: Export, table: Table, day: date) -> DayListing:
    """Return the listing of a day of one container.

    Raises:
        ExportError: when neither this container nor another one can be listed for the day.
    """
    listing = list_day(export, table.container, day)
    others = (other.container for other in TABLES if other is not table)
    if not listing.answered and not any(list_day(export, other, day).answered for other in others):
        raise ExportError(listing.unreadable[0].reason)
    return listing


def list_tenant(export: Export, container: str, tenant: str, day: date) -> DayListing:
    """Return the listing of a tenant's day, in the same way."""
    listing = DayListing()
    prefix = day_prefix(tenant, day)
    try:
        for entry in export.blobs_of_tenant(container, tenant, day):
            if isinstance(entry, Blob):
                listing.blobs.append(entry)
            else:
                listing.unreadable.append(entry)
    except ExportError as error:
        listing.unreadable.append(UnreadablePart(container, prefix, str(error)))
    listing.answered = all(part.path != prefix for part in listing.unreadable)
    return listing
