"""The export that Microsoft writes: listing blobs and reading byte ranges, in Azure or in a directory."""

from defender_assets.core.export.blobs import Blob, BlobChangedError, Export, IgnoredFile, UnreadablePart
from defender_assets.core.export.directory import DirectoryExport

__all__ = [
    "Blob",
    "BlobChangedError",
    "DirectoryExport",
    "Export",
    "IgnoredFile",
    "UnreadablePart",
]
