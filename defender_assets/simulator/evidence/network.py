"""Evidence of traffic: addresses, URLs and mail."""

from defender_assets.simulator.clock import MINUTE, stamp
from defender_assets.simulator.evidence.references import Columns, References, entity, merge_key, verdict
from defender_assets.simulator.scenes import Scene


def ip(scene: Scene, _event: int) -> Columns:
    """The remote address, in some rows as IPv4-mapped IPv6."""
    return _address(f"::ffff:{scene.address}" if scene.serial % 11 == 0 else scene.address)


def private_ip(scene: Scene, _event: int) -> Columns:
    """An internal address, which many unrelated alerts share; in some rows `-`, for none."""
    inside = "-" if scene.serial % 9 == 0 else f"10.0.0.{4 + scene.serial % 3}"
    return _address(inside) | {"LocalIP": scene.device.local_ip}


def egress_ip(scene: Scene, _event: int) -> Columns:
    """The organisation's own public address, which is DeviceInfo.PublicIP of half of its devices."""
    return _address(scene.tenant.egress[0])


def _address(address: str) -> Columns:
    location = {"CountryCode": "ZZ", "Asn": 64_512, "Carrier": "Example Networks"}
    extra = References().new(Address=address, Location=location, Type="ip", Role=1, **merge_key(address))
    return entity("Ip", extra, RemoteIP=address)


def _link(scene: Scene) -> str:
    return f"https://{scene.host}/track/{scene.serial}?u=1"


def url(scene: Scene, _event: int) -> Columns:
    """A link."""
    words = verdict(scene.outcome)
    extra = References().new(Url=_link(scene), Type="url", Role=1, **words, **merge_key(_link(scene)))
    return entity("Url", extra, RemoteUrl=_link(scene))


def mail_message(scene: Scene, event: int) -> Columns:
    """A message, with sender, recipient and links in AdditionalFields."""
    mail, recipient = scene.mail, scene.user
    extra = References().new(
        Recipient=recipient.upn,
        Sender=mail.sender,
        P1Sender=mail.sender,
        SenderIP=mail.sender_ip,
        Subject=mail.subject,
        Urls=[_link(scene)],
        ReceivedDate=stamp(event - 30 * MINUTE, 0),
        NetworkMessageId=mail.message_id,
        DeliveryAction="Delivered",
        Type="mailMessage",
        **merge_key(mail.message_id, recipient.upn),
    )
    return entity(
        "MailMessage",
        extra,
        AccountUpn=recipient.upn,
        AccountObjectId=recipient.object_id,
        NetworkMessageId=mail.message_id,
        EmailSubject=mail.subject,
    )


def mail_cluster(scene: Scene, _event: int) -> Columns:
    """A group of similar messages."""
    message = scene.mail.message_id
    extra = References().new(NetworkMessageIds=[message], MailCount=1, Type="mailCluster")
    extra |= {"CountByDeliveryStatus": {"Delivered": 1}, **merge_key("cluster", message)}
    return entity("MailCluster", extra)
