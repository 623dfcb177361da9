"""AlertEvidence: the columns of each kind of entity, AdditionalFields included.

Each function returns only the columns that it fills; `alerts` makes rows of them.
"""

from collections.abc import Callable

from defender_assets.simulator.evidence import accounts, cloud, hosts, network
from defender_assets.simulator.evidence.references import Columns
from defender_assets.simulator.scenes import Scene

SHAPES: dict[str, Callable[[Scene, int], Columns]] = {
    "Machine": hosts.machine,
    "NamedMachine": hosts.named_machine,
    "HostMachine": hosts.host_machine,
    "User": accounts.user,
    "EntraUser": accounts.entra_user,
    "System": accounts.system,
    "MachineAccount": accounts.machine_account,
    "Process": hosts.process,
    "File": hosts.file,
    "Malware": hosts.malware,
    "Ip": network.ip,
    "PrivateIp": network.private_ip,
    "EgressIp": network.egress_ip,
    "Url": network.url,
    "MailMessage": network.mail_message,
    "Mailbox": accounts.mailbox,
    "MailCluster": network.mail_cluster,
    "CloudApplication": cloud.cloud_application,
    "OAuthApplication": cloud.oauth_application,
    "CloudLogonRequest": cloud.cloud_logon,
    "SecurityGroup": accounts.security_group,
    "RegistryKey": hosts.registry_key,
    "RegistryValue": hosts.registry_value,
    "AzureResource": cloud.azure_resource,
}
"""Functions from a scene and the event's ticks to columns."""
