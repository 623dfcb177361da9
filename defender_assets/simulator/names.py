"""Invented names, identifiers and addresses: nothing here belongs to anyone.

Identifiers of every kind belong here; the people and machines that bear them do not.
"""

from random import Random
from uuid import UUID


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


GIVEN_NAMES = _words(
    "ada bruno carla dario elin farid greta hugo ines jonas kaya leon mira nils olga pavel quinn rosa sven tara ugo "
    "vera wim xenia yusuf zoe"
)
FAMILY_NAMES = _words(
    "alder birch cedar dale elm field grove heath iris juniper kelp larch moss nettle oak pine quill reed sage thorn "
    "ulex vale willow yarrow"
)
COMPANIES = _words("fernhill bluemarsh coppergate dunmere eastholm foxglen greyfell hartwell ivybridge kestrel")
SITES = _words("north south harbour campus mill depot")

# Blocks that are allocated and yet not announced to the Internet: public to any check, and nobody's server.
_ATTACKER_BLOCKS = (11, 22, 26, 30)
_EGRESS_BLOCK = 33


def guid(chance: Random) -> str:
    """A random GUID, lower case."""
    return str(UUID(int=chance.getrandbits(128), version=4))


def hexadecimal(chance: Random, digits: int) -> str:
    """Random lower-case hexadecimal digits."""
    return f"{chance.getrandbits(4 * digits):0{digits}x}"


def entra_sid(object_id: str) -> str:
    """`S-1-12-1-…`: an Entra object id spelt as four little-endian 32-bit numbers."""
    raw = UUID(object_id).bytes_le
    return "S-1-12-1-" + "-".join(str(int.from_bytes(raw[at : at + 4], "little")) for at in range(0, 16, 4))


def public_address(chance: Random) -> str:
    """An IPv4 address that passes for an attacker's."""
    return (
        f"{chance.choice(_ATTACKER_BLOCKS)}.{chance.randrange(256)}.{chance.randrange(256)}.{chance.randrange(1, 255)}"
    )


def egress_address(chance: Random) -> str:
    """An IPv4 address by which an organisation reaches the Internet."""
    return f"{_EGRESS_BLOCK}.{chance.randrange(256)}.{chance.randrange(256)}.{chance.randrange(1, 255)}"


def hostile_host(chance: Random) -> str:
    """A host name under the reserved `.example`."""
    stem = chance.choice(("invoice", "login", "parcel", "payroll", "shared-docs", "update"))
    return f"{stem}-{hexadecimal(chance, 6)}.example"
