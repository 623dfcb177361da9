"""Invented names, identifiers and addresses of every kind; none of them belongs to anyone."""

from random import Random
from uuid import UUID

from defender_assets.simulator.format import names

_GIVEN_NAMES = names(
    "ada bruno carla dario elin farid greta hugo ines jonas kaya leon mira nils olga pavel quinn rosa sven tara ugo "
    "vera wim xenia yusuf zoe"
)
_FAMILY_NAMES = names(
    "alder birch cedar dale elm field grove heath iris juniper kelp larch moss nettle oak pine quill reed sage thorn "
    "ulex vale willow yarrow"
)
COMPANIES = names("fernhill bluemarsh coppergate dunmere eastholm foxglen greyfell hartwell ivybridge kestrel")
SITES = names("north south harbour campus mill depot")

# Blocks that are allocated but not announced to the Internet: checks see public addresses, and no server has them.
_ATTACKER_BLOCKS = (11, 22, 26, 30)
_EGRESS_BLOCK = 33


def account_name(rng: Random, number: int) -> str:
    """The account name of person `number`."""
    return f"{rng.choice(_GIVEN_NAMES)}.{rng.choice(_FAMILY_NAMES)}{number}"


def guid(rng: Random) -> str:
    """A random GUID, lower case."""
    return str(UUID(int=rng.getrandbits(128), version=4))


def hexadecimal(rng: Random, digits: int) -> str:
    """Random lower-case hexadecimal digits."""
    return f"{rng.getrandbits(4 * digits):0{digits}x}"


def entra_sid(object_id: str) -> str:
    """`S-1-12-1-…`: an Entra object id as four little-endian 32-bit numbers."""
    raw = UUID(object_id).bytes_le
    return "S-1-12-1-" + "-".join(str(int.from_bytes(raw[at : at + 4], "little")) for at in range(0, 16, 4))


def public_address(rng: Random) -> str:
    """An IPv4 address of an attacker."""
    return f"{rng.choice(_ATTACKER_BLOCKS)}.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"


def egress_address(rng: Random) -> str:
    """A public IPv4 address of an organisation."""
    return f"{_EGRESS_BLOCK}.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"


def hostile_host(rng: Random) -> str:
    """A host name under the reserved `.example`."""
    stem = rng.choice(("invoice", "login", "parcel", "payroll", "shared-docs", "update"))
    return f"{stem}-{hexadecimal(rng, 6)}.example"
