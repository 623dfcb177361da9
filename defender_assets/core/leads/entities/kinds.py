"""The kinds of entities, and where AdditionalFields holds the values of each.

Sources: Microsoft's "Microsoft Sentinel entity types reference", the evidence resources of Microsoft Graph's alerts v2,
and published records (source facts, section 4). Services spell the names of fields in different cases, so they are
compared in lower case.
"""

from functools import lru_cache
from typing import NamedTuple

_RESOURCE = "cloud_name=ResourceName|Name cloud_type=ResourceType cloud_platform=CloudPlatform|Platform"
_MAIL = (
    "network_message_id=NetworkMessageId subject=Subject sender=Sender|P2Sender|P1Sender recipient=Recipient "
    "mail_direction=AntispamDirection"
)
_MAILBOX = (
    "mailbox_address=MailboxPrimaryAddress|MailboxAddress display_name=DisplayName account_upn=Upn|UserPrincipalName "
    "account_object_id=AadId|AadUserId|ExternalDirectoryObjectId"
)
_ACCOUNT = (
    "account_name={0}Name|{0}CloudAppAccountId account_domain={0}NTDomain|{0}DnsDomain account_sid={0}Sid "
    "account_object_id={0}AadUserId|{0}AadId account_upn={0}UserPrincipalName|{0}Upn|{0}Name@{0}UPNSuffix "
    "account_display_name={0}DisplayName"
)
_FILE = (
    "file_name={0}Name folder={0}Directory size={0}SizeInBytes hashes={0}FileHashes sha256={0}Sha256 sha1={0}Sha1 "
    "md5={0}Md5 prevalence={0}KnownPrevalence|{0}GlobalPrevalence|{0}IsPrevalent threat_family={0}ThreatFamilyName"
)
_PARENT = (
    "parent_file_name=ParentProcess.ImageFile.Name parent_command_line=ParentProcess.CommandLine "
    "parent_folder=ParentProcess.ImageFile.Directory parent_process_id=ParentProcess.ProcessId "
    "parent_hashes=ParentProcess.ImageFile.FileHashes"
)
_SESSION = "session_id=SessionId|RequestId session_started=StartTimeUtc user_agent=UserAgent"

COMMON = (
    "role=Role role_number=Role entity_key=MergeByKeyHex detection_status=DetectionStatus last_verdict=LastVerdict "
    "suspicion_level=SuspicionLevel remediation_state=LastRemediationState"
)
"""What the entities of all kinds have."""

ACCOUNT_WITHIN = _ACCOUNT.format("Account.") + " account_role=Account.Role account_role_number=Account.Role"
"""The account of a process, a session …; it is an entity of its own, with its own role."""

HOST = "machine_id=MachineId host_name=HostName|NetBiosName dns_domain=DnsDomain fqdn=FQDN os_family=OSFamily"

KINDS = {
    "user": _ACCOUNT.format(""),
    "mailbox": _MAILBOX,
    "mailboxconfiguration": f"{_MAILBOX} configuration=ConfigurationType|ConfigType",
    "machine": "",
    "ip": "address=Address country=Location.CountryCode",
    "url": "url=Url",
    "dns": "domain=DomainName name=DomainName",
    "file": _FILE.format(""),
    "filehash": "hashes=.",
    "process": f"{_FILE.format('ImageFile.')} process_id=ProcessId created=CreationTimeUtc command_line=CommandLine "
    f"{_PARENT}",
    "registrykey": r"registry_key=Hive\Key",
    "registryvalue": r"registry_key=Key.Hive\Key.Key|Hive\Key value_name=Name|ValueName value_data=Value",
    "mailmessage": _MAIL,
    "submissionmail": _MAIL,
    "mailcluster": "name=ClusterGroup|ClusterSourceIdentifier|Urn|Query|Source",
    "cloudlogonsession": _SESSION,
    "cloudlogonrequest": "session_id=RequestId|SessionId session_started=StartTimeUtc user_agent=UserAgent",
    "hostlogonsession": f"{_SESSION} machine_id=Host.MachineId host_name=Host.HostName|Host.NetBiosName "
    "dns_domain=Host.DnsDomain",
    "cloudapplication": "application=Name|AppName|DisplayName application_id=SaasId|AppId instance=InstanceName",
    "oauthapplication": "application=AppName|Name|AppDisplayName|DisplayName oauth_application_id=OAuthAppId|AppId "
    "object_id=OAuthObjectId|ObjectId publisher=PublisherName|Publisher owner_tenant=AppOwnerTenantId",
    "serviceprincipal": "application=ServicePrincipalName|DisplayName|Name|AppDisplayName application_id=AppId "
    "object_id=ServicePrincipalObjectId|ObjectId publisher=PublisherName owner_tenant=AppOwnerTenantId",
    "azureresource": f"{_RESOURCE} resource_id=ResourceId|AzureResourceId subscription_id=SubscriptionId",
    "amazonresource": f"{_RESOURCE} resource_id=AmazonResourceId|AmazonResourceName|Arn|ResourceId "
    "subscription_id=AmazonAccountId|AccountId",
    "googlecloudresource": f"{_RESOURCE} resource_id=FullResourceName|GoogleCloudResourceId|GcpResourceId|"
    "RelativeResourceName|ResourceId subscription_id=ProjectId|GcpProjectId|ProjectNumber",
    "cloudresource": f"{_RESOURCE} resource_id=ResourceId|AzureResourceId|AmazonResourceId|FullResourceName "
    "subscription_id=SubscriptionId|AmazonAccountId|ProjectId",
    "blobcontainer": "cloud_name=Name resource_id=Url parent=StorageResource.ResourceName|StorageResource.ResourceId",
    "blob": "cloud_name=Name resource_id=Url hashes=FileHashes "
    "parent=BlobContainer.StorageResource.ResourceName+BlobContainer.Name",
    "container": "cloud_name=Name|ContainerName resource_id=ContainerId image=Image.ImageId|Image.Name|Image "
    "parent=Pod.Namespace.Name+Pod.Name",
    "containerimage": "cloud_name=Name|ImageId|Digest resource_id=ImageId|Digest parent=Registry.Registry|Registry",
    "containerregistry": "cloud_name=Registry|Name|LoginServer",
    "iotdevice": "cloud_name=DeviceName|DeviceId resource_id=DeviceId cloud_type=DeviceType "
    "parent=IoTHub.ResourceId|IoTHub.ResourceName",
    "kubernetes": "cloud_name=Name cloud_platform=Platform "
    "parent=Namespace.Cluster.Name+Namespace.Name|Cluster.Name+Namespace|Cluster.Name",
    "malware": "name=Name|ThreatFamilyName",
    "securitygroup": "name=DistinguishedName|DisplayName|Name|Sid|ObjectGuid",
    "networkconnection": "",
    "nic": "name=MacAddress",
    "activedirectorydomain": "name=ActiveDirectoryDomainName|DomainName|Name|Fqdn",
    "sensitivitylabel": "name=DisplayName|Name|SensitivityLabel|LabelId|Id",
}
"""Kind -> `field=Path|Path …`; the first path with a value counts.

A path is `Name.Name` or `.` (the entity itself). `A@B`, `A\\B` join two values if both are there, `A+B` (by `/`) also
if only one is. The fields are those of `fields.ENTITY`.
"""

OTHER_KINDS = frozenset(
    {"dns", "mailcluster", "malware", "securitygroup", "networkconnection", "nic", "activedirectorydomain",
     "sensitivitylabel"}
)  # fmt: skip
"""Kinds without a list of their own: `other_entities` lists them, and all kinds that are not in KINDS."""

ANY_NAME = "name=Name|DisplayName|FriendlyName|Title|FullName|ResourceName|Id|Value"
"""How an entity of a kind that nobody knows is named; otherwise by a field that ends in `Name` or `Id`."""

TYPE_NAMES = {
    "blobcontainer": "Blob container",
    "blob": "Blob",
    "container": "Container",
    "containerimage": "Container image",
    "containerregistry": "Container registry",
    "iotdevice": "IoT device",
}
"""`cloud_resources.type` of kinds that state none."""

_ALIASES = {
    "account": "user", "host": "machine", "device": "machine", "ipaddress": "ip", "dnsresolution": "dns",
    "amazonresources": "amazonresource", "awsresource": "amazonresource", "awsresources": "amazonresource",
    "gcpresource": "googlecloudresource", "gcpresources": "googlecloudresource",
    "googleresource": "googlecloudresource", "googlecloudresources": "googlecloudresource",
    "azureresources": "azureresource", "logonsession": "hostlogonsession", "oauthapp": "oauthapplication",
    "saasapplication": "cloudapplication", "cloudapp": "cloudapplication", "email": "mailmessage",
    "emailmessage": "mailmessage", "image": "containerimage", "group": "securitygroup",
    "domain": "activedirectorydomain", "nics": "nic", "networkinterface": "nic",
}  # fmt: skip
_UNSPECIFIC = frozenset({"cloudresource", "genericentity", "entity", "generic", "unknown", "other"})
_KUBERNETES = ("kubernetes", "k8s")

NESTED = {
    "account": "user", "accounts": "user", "submitter": "user", "host": "machine", "hosts": "machine",
    "sourceaddress": "ip", "destinationaddress": "ip", "ipaddress": "ip", "ipaddresses": "ip", "senderip": "ip",
    "dnsserverip": "ip", "hostipaddress": "ip", "ipinterfaces": "ip", "podip": "ip", "podips": "ip",
    "clusterip": "ip", "externalips": "ip", "loadbalancerip": "ip", "clientip": "ip", "clientipaddress": "ip",
    "urls": "url", "hosturl": "url", "referrerurl": "url", "files": "file", "file": "file", "attachments": "file",
    "imagefile": "file", "process": "process", "processes": "process", "parentprocess": "process",
    "networkmessageids": "mailmessage", "mailmessages": "mailmessage", "logonsession": "hostlogonsession",
    "cloudlogonsession": "cloudlogonsession", "cloudlogonrequest": "cloudlogonrequest",
    "storageresource": "azureresource", "cloudresource": "cloudresource", "azureresource": "azureresource",
    "iothub": "azureresource", "blobcontainer": "blobcontainer", "image": "containerimage",
    "registry": "containerregistry", "container": "container", "containers": "container",
    "initcontainers": "container", "ephemeralcontainers": "container", "pod": "kubernetespod",
    "pods": "kubernetespod", "namespace": "kubernetesnamespace", "cluster": "kubernetescluster",
    "controller": "kubernetescontroller", "node": "kubernetesnode", "serviceaccount": "kubernetesserviceaccount",
    "nics": "nic", "malware": "malware", "iotdevice": "iotdevice", "serviceprincipal": "serviceprincipal",
    "oauthapplication": "oauthapplication", "cloudapplication": "cloudapplication", "mailbox": "mailbox",
}  # fmt: skip
"""Field in lower case -> kind of the entity inside an entity, if that states no `Type` itself."""

NESTED_TEXT = {"ip": "address", "url": "url", "mailmessage": "network_message_id", "file": "file_name",
               "user": "account_upn"}  # fmt: skip
"""Kind -> the field that a plain text in the place of a nested entity fills."""
NOT_AS_TEXT = frozenset({"ipinterfaces", "account", "accounts", "file"})
"""Fields of NESTED whose plain texts are no entities: a host's own interfaces, names without an owner."""

PART_OF_PROCESS = frozenset({"imagefile", "parentprocess"})
"""Fields of a process whose entities are values of the process, and no entities of their own."""

PLAIN_FIELDS = frozenset({"filehashes", "location", "geolocation", "key", "labels", "tags", "metadatajson"})
"""Fields that hold no entities."""

UNLINKED = frozenset({"dnsserverip", "hostipaddress", "submitter", "ipinterfaces"})
"""Fields whose entities are shown and link nothing: the resolver, the client's own address, who reported a mail."""


class Kind(NamedTuple):
    """What an entity is."""

    known: str | None
    """The key of KINDS, None if nobody knows the kind."""
    name: str
    """In lower case without separators; empty for an object that is no entity."""
    is_other: bool
    """Whether `other_entities` lists it."""
    resource_type: str | None
    """The type of a cloud resource of this kind, if its kind says it."""
    is_specific: bool
    """Whether EntityType says it, not the `Type` of AdditionalFields."""


@lru_cache(maxsize=4096)
def kind_of(entity_type: str | None, json_type: str | None = None) -> Kind:
    """Return the kind of an entity from its EntityType and from the `Type` of its AdditionalFields, in any case.

    EntityType counts unless it is unspecific (CloudResource, GenericEntity) or nobody knows it.

    >>> kind_of("Ip").name, kind_of("GenericEntity", "network-connection").name, kind_of(None, "K8s-pod").name
    ('ip', 'networkconnection', 'kubernetespod')
    """
    first, second = _canonical(entity_type), _canonical(json_type)
    specific = bool(first) and first not in _UNSPECIFIC
    for name in (*((first,) if specific else ()), second, first):
        known = "kubernetes" if name.startswith("kubernetes") else name
        if known in KINDS:
            return Kind(known, name, known in OTHER_KINDS, _resource_type(known, name), name == first and specific)
    return Kind(None, first if specific else second or first, is_other=True, resource_type=None, is_specific=specific)


def _resource_type(known: str, name: str) -> str | None:
    if known == "kubernetes":
        return f"Kubernetes {name.removeprefix('kubernetes') or 'resource'}"
    return TYPE_NAMES.get(known)


def _canonical(text: str | None) -> str:
    name = "".join(letter for letter in (text or "").lower()[:200] if letter.isalnum())
    for prefix in _KUBERNETES:
        if name.startswith(prefix):
            return f"kubernetes{name.removeprefix(prefix)}"
    return _ALIASES.get(name, name)
