"""Evidence that names accounts: people, services, their mailboxes and groups.

Messages do not belong here.
"""

from defender_assets.simulator.evidence.references import Columns, References, merge_key
from defender_assets.simulator.names import entra_sid
from defender_assets.simulator.scenes import Scene


def user(scene: Scene, _event: int) -> Columns:
    """A person under all names; some products write the UPN in capitals."""
    who = scene.user
    extra = References().new(Name=who.name, UPNSuffix=who.upn.partition("@")[2], Sid=who.sid, Type="account")
    return {
        "EntityType": "User",
        "EvidenceRole": "Impacted",
        "AccountName": who.name,
        "AccountDomain": who.domain,
        "AccountSid": who.sid,
        "AccountObjectId": who.object_id,
        "AccountUpn": who.upn.upper() if scene.serial % 5 == 0 else who.upn,
        "AdditionalFields": extra | {"IsDomainJoined": True, "AadUserId": who.object_id} | merge_key(who.sid),
    }


def entra_user(scene: Scene, event: int) -> Columns:
    """A person as Entra knows them: the SID spells the object id, and there is no domain."""
    row = user(scene, event)
    row["AdditionalFields"]["Sid"] = row["AccountSid"] = entra_sid(scene.user.object_id)
    return row | {"AccountDomain": ""}


def system(_scene: Scene, _event: int) -> Columns:
    """The SYSTEM account, which is on every machine and ties nothing together."""
    sid = "S-1-5-18"
    return {
        "EntityType": "User",
        "EvidenceRole": "Related",
        "AccountName": "system",
        "AccountDomain": "nt authority",
        "AccountSid": sid,
        "AdditionalFields": References().new(Name="system", Sid=sid, Type="account", **merge_key(sid)),
    }


def machine_account(scene: Scene, _event: int) -> Columns:
    """The domain controller's own account: in many alerts, and no tie between them."""
    sid = f"{scene.user.sid.rpartition('-')[0]}-1000"
    return {
        "EntityType": "User",
        "EvidenceRole": "Related",
        "AccountName": "dc-01$",
        "AccountDomain": scene.user.domain,
        "AccountSid": sid,
        "AdditionalFields": References().new(Name="dc-01$", Sid=sid, Type="account", **merge_key(sid)),
    }


def mailbox(scene: Scene, _event: int) -> Columns:
    """A person's mailbox."""
    who = scene.user
    extra = References().new(MailboxPrimaryAddress=who.upn, Upn=who.upn, AadId=who.object_id, Type="mailbox")
    return {
        "EntityType": "Mailbox",
        "EvidenceRole": "Impacted",
        "AccountName": who.name,
        "AccountUpn": who.upn,
        "AccountObjectId": who.object_id,
        "AdditionalFields": extra | merge_key(who.upn),
    }


def security_group(scene: Scene, _event: int) -> Columns:
    """A group of the directory."""
    name = f"admins-{scene.serial}"
    extra = References().new(DistinguishedName=f"CN={name},DC={scene.user.domain}", Type="securityGroup")
    return {"EntityType": "SecurityGroup", "EvidenceRole": "Related", "AdditionalFields": extra | merge_key(name)}
