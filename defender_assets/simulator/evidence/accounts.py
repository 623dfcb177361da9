"""Evidence of accounts: people, services, mailboxes and groups."""

from defender_assets.simulator.evidence.references import Columns, References, entity, merge_key
from defender_assets.simulator.names import entra_sid
from defender_assets.simulator.scenes import Scene


def user(scene: Scene, _event: int) -> Columns:
    """A person under all names; every fifth row has the UPN in upper case."""
    who = scene.user
    extra = References().new(Name=who.name, UPNSuffix=who.upn.partition("@")[2], Sid=who.sid, Type="account")
    return entity(
        "User",
        extra | {"IsDomainJoined": True, "AadUserId": who.object_id} | merge_key(who.sid),
        role="Impacted",
        AccountName=who.name,
        AccountDomain=who.domain,
        AccountSid=who.sid,
        AccountObjectId=who.object_id,
        AccountUpn=who.upn.upper() if scene.serial % 5 == 0 else who.upn,
    )


def entra_user(scene: Scene, event: int) -> Columns:
    """A person in Entra: the SID encodes the object id, and there is no domain."""
    row = user(scene, event)
    row["AdditionalFields"]["Sid"] = row["AccountSid"] = entra_sid(scene.user.object_id)
    return row | {"AccountDomain": ""}


def system(_scene: Scene, _event: int) -> Columns:
    """The SYSTEM account, which exists on every machine and does not relate alerts."""
    return _service_account("system", "nt authority", "S-1-5-18")


def machine_account(scene: Scene, _event: int) -> Columns:
    """The domain controller's own account, which is in many unrelated alerts."""
    return _service_account("dc-01$", scene.user.domain, f"{scene.user.sid.rpartition('-')[0]}-1000")


def _service_account(name: str, domain: str, sid: str) -> Columns:
    return entity(
        "User",
        References().new(Name=name, Sid=sid, Type="account", **merge_key(sid)),
        AccountName=name,
        AccountDomain=domain,
        AccountSid=sid,
    )


def mailbox(scene: Scene, _event: int) -> Columns:
    """A person's mailbox."""
    who = scene.user
    extra = References().new(MailboxPrimaryAddress=who.upn, Upn=who.upn, AadId=who.object_id, Type="mailbox")
    return entity(
        "Mailbox",
        extra | merge_key(who.upn),
        role="Impacted",
        AccountName=who.name,
        AccountUpn=who.upn,
        AccountObjectId=who.object_id,
    )


def security_group(scene: Scene, _event: int) -> Columns:
    """A security group in the directory."""
    name = f"admins-{scene.serial}"
    extra = References().new(DistinguishedName=f"CN={name},DC={scene.user.domain}", Type="securityGroup")
    return entity("SecurityGroup", extra | merge_key(name))
