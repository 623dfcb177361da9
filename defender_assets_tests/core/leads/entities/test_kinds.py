"""Every kind of entity is on the lead, from AdditionalFields alone, also inside other entities, with its own role."""

from typing import Any

import pytest

from defender_assets.core.leads.entities.additional_fields import MOST_OF_ONE_FIELD, read_entities
from defender_assets_tests.core.leads.entities.test_lists import filled, filled_of_each
from defender_assets_tests.core.leads.entities.test_unlinked import links
from defender_assets_tests.support.alert_rows import Row, at, evidence

HASH = [{"Algorithm": "SHA256", "Value": "AB"}]
VM = "/subscriptions/5/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm1"
CLUSTER = {"Name": "aks", "Type": "K8s-cluster", "CloudResource": {"Type": "azure-resource", "ResourceId": VM}}


def names(listed: str, *rows: Row, field: str = "name") -> list[Any]:
    return [entry.get(field) for entry in filled(*rows).get(listed, [])]


KINDS: list[tuple[str, Row | None, str, list[Row]]] = [
    ("AzureResource", {"ResourceId": VM, "ResourceName": "vm1", "ResourceType": "Virtual Machine"},
     "cloud_resources",
     [{"name": "vm1", "type": "Virtual Machine", "resource_id": VM, "platform": "Azure", "subscription_id": "5"}]),
    ("CloudResource", {"Type": "amazon-resources", "AmazonResourceId": "arn:aws:s3:::b", "AmazonAccountId": "1"},
     "cloud_resources",
     [{"resource_id": "arn:aws:s3:::b", "subscription_id": "1", "platform": "Amazon Web Services"}]),
    ("GoogleCloudResource", {"ResourceName": "vm", "ProjectId": "p", "ResourceType": "GCE"}, "cloud_resources",
     [{"name": "vm", "subscription_id": "p", "type": "GCE", "platform": "Google Cloud Platform"}]),
    ("BlobContainer", {"Name": "tbay", "StorageResource": {"ResourceName": "acct"}}, "cloud_resources",
     [{"name": "acct"}, {"name": "tbay", "type": "Blob container", "parent": "acct"}]),
    ("ContainerRegistry", {"Registry": "reg.example"}, "cloud_resources",
     [{"name": "reg.example", "type": "Container registry"}]),
    ("KubernetesServiceAccount", {"NAME": "sa", "namespace": {"name": "prod"}}, "cloud_resources",
     [{"name": "prod", "type": "Kubernetes namespace"},
      {"name": "sa", "type": "Kubernetes serviceaccount", "parent": "prod"}]),
    ("IoTDevice", {"DeviceId": "7", "DeviceName": "cam"}, "cloud_resources",
     [{"name": "cam", "type": "IoT device", "resource_id": "7"}]),
    ("OAuthApplication", {"OAuthAppId": "AB", "OAuthObjectId": "CD", "Name": "App", "PublisherName": "Acme"},
     "applications",
     [{"name": "App", "oauth_application_id": "ab", "object_id": "cd", "publisher": "Acme"}]),
    ("ServicePrincipal", {"ServicePrincipalName": "ci", "ServicePrincipalObjectId": "CD", "AppId": "AB"},
     "applications", [{"name": "ci", "application_id": "AB", "object_id": "cd"}]),
    ("CloudApplication", {"SaasId": 11114, "Name": "Salesforce", "InstanceName": "EMEA"}, "applications",
     [{"name": "Salesforce", "application_id": "11114", "instance": "EMEA"}]),
    ("Malware", {"Name": "Trojan", "Category": "RAT"}, "other_entities",
     [{"kind": "Malware", "name": "Trojan", "details": '{"category": "RAT"}'}]),
    ("SecurityGroup", {"DistinguishedName": "CN=x"}, "other_entities", [{"kind": "SecurityGroup", "name": "CN=x"}]),
    ("DNS", {"DomainName": "evil.example"}, "other_entities", [{"kind": "DNS", "name": "evil.example"}]),
    ("RegistryKey", {"Hive": "HKEY_LOCAL_MACHINE", "Key": "Run"}, "registry", [{"key": "HKEY_LOCAL_MACHINE\\Run"}]),
    ("RegistryValue", {"Key": {"Hive": "HKEY_USERS", "Key": "Run"}, "Name": "x", "Value": "y"}, "registry",
     [{"key": "HKEY_USERS\\Run", "value_name": "x", "value_data": "y"}]),
    ("SubmissionMail", {"NetworkMessageId": "M", "Sender": "a@b.example", "Recipient": "c@d.example"}, "mails",
     [{"network_message_id": "m", "sender": "a@b.example", "recipient": "c@d.example"}]),
    ("MailboxConfiguration", {"MailboxPrimaryAddress": "a@b.example", "ConfigurationType": "Rule"}, "mailboxes",
     [{"address": "a@b.example", "configuration": "Rule"}]),
    ("FileHash", {"Algorithm": "SHA256", "Value": "AB"}, "hashes", [{"sha256": "ab"}]),
    ("QuantumWidget", {"WidgetName": "qw-7", "Spin": 2}, "other_entities",
     [{"kind": "QuantumWidget", "name": "qw-7", "details": '{"spin": 2}'}]),
    ("QuantumWidget", None, "other_entities", [{"kind": "QuantumWidget"}]),
    ("GenericEntity", {"Type": "new-thing", "Name": "x"}, "other_entities", [{"kind": "new-thing", "name": "x"}]),
]  # fmt: skip


def test_a_kind_has_its_values_from_additional_fields(subtests: pytest.Subtests) -> None:
    found = filled_of_each([evidence(kind, fields=fields)] for kind, fields, _, _ in KINDS)
    for (kind, fields, listed, expected), lists in zip(KINDS, found, strict=True):
        with subtests.test(kind, fields=fields):
            assert lists[listed] == expected


INSIDE: list[tuple[str, Row, str, str, list[Any]]] = [
    ("GenericEntity", {"Type": "network-connection", "SourceAddress": {"Address": "203.0.113.7"},
                       "DestinationAddress": "203.0.113.8"}, "ip_addresses", "address",
     ["203.0.113.7", "203.0.113.8"]),
    ("DNS", {"DomainName": "x.example", "IpAddress": [{"Type": "ip", "Address": "203.0.113.9"}]}, "ip_addresses",
     "address", ["203.0.113.9"]),
    ("KubernetesPod", {"Name": "p", "Namespace": {"Name": "n", "Cluster": CLUSTER}}, "cloud_resources",
     "resource_id",
     [None, None, None, VM]),
    ("Container", {"Name": "c", "Image": {"ImageId": "img:1"}, "Pod": {"Name": "p"}}, "cloud_resources", "name",
     ["c", "img:1", "p"]),
    ("Malware", {"Name": "m", "Files": [{"Name": "a.exe", "FileHashes": HASH}]}, "files", "sha256", ["ab"]),
    ("MailMessage", {"Files": [{"Name": "a.doc", "FileHashes": HASH}, "b.doc"]}, "files", "name",
     ["a.doc", "b.doc"]),
    ("MailMessage", {"senderip": "203.0.113.7"}, "ip_addresses", "address", ["203.0.113.7"]),
    ("CloudLogonRequest", {"CloudLogonSession": {"SessionId": "S", "Account": {"AadUserId": "AB"}}}, "accounts",
     "object_id", ["AB"]),
    ("HostLogonSession", {"SessionId": "7", "Account": {"Name": "jane", "NTDomain": "CORP"}}, "accounts", "name",
     ["jane"]),
    ("Process", {"ParentProcess": {"Account": {"Name": "bob", "NTDomain": "CORP"}},
                 "Account": {"Name": "ann", "NTDomain": "CORP"}}, "accounts", "name", ["ann", "bob"]),
    ("QuantumWidget", {"Inner": {"Deep": [{"Type": "ip", "Address": "203.0.113.7"}]}}, "ip_addresses", "address",
     ["203.0.113.7"]),
    ("Url", {"Url": "https://a.example", "Extra": {"Type": "new-thing", "Name": "x"}}, "other_entities", "name",
     ["x"]),
]  # fmt: skip


def test_entities_inside_entities_are_found(subtests: pytest.Subtests) -> None:
    found = filled_of_each([evidence(kind, fields=fields)] for kind, fields, _, _, _ in INSIDE)
    for (kind, fields, listed, field, expected), lists in zip(INSIDE, found, strict=True):
        with subtests.test(kind, fields=fields):
            names = [entry.get(field) for entry in lists.get(listed, [])]
            assert sorted(names, key=str) == sorted(expected, key=str)


def account(**role: Any) -> Row:
    return {"Account": {"Name": "jane", "NTDomain": "CORP", "Type": "account", **role}, "Type": "process"}


ROLES: list[tuple[str, int | None, Row, str | None]] = [
    ("Related", 1, {"Role": 0}, "Impacted"),
    ("Impacted", 0, {"Role": 1}, "Related"),
    ("Related", 0, {"Role": 1}, None),  # this service numbers a list of its own
    ("Impacted", 0, {}, None),
    ("Related", None, {"Role": 0}, None),
    ("Related", 1, {"Role": "Attacked"}, "Attacked"),
]


def test_an_account_inside_a_process_has_its_own_role(subtests: pytest.Subtests) -> None:
    rows = [
        evidence("Process", FileName="x", EvidenceRole=outer, fields={"Role": number, **account(**role)})
        for outer, number, role, _ in ROLES
    ]
    for (outer, number, role, expected), lists in zip(ROLES, filled_of_each([row] for row in rows), strict=True):
        with subtests.test(outer=outer, number=number, role=role):
            assert [entry.get("role") for entry in lists["accounts"]] == [expected]


def test_what_another_entity_says_of_an_account_never_replaces_its_own_role() -> None:
    rows = [
        evidence("User", AccountName="jane", AccountDomain="CORP", EvidenceRole="Impacted", Timestamp=at(-1)),
        evidence("Process", FileName="x", EvidenceRole="Impacted", fields={"Role": 0, **account(Role=1)}),
    ]
    assert names("accounts", *rows, field="role") == ["Impacted"]


def test_a_mail_cluster_names_the_same_messages_in_any_order_up_to_a_limit() -> None:
    ids = [f"ID-{number:04}" for number in range(250)]
    first, second = (evidence("MailCluster", fields={"NetworkMessageIds": order}) for order in (ids, ids[::-1]))
    assert links(first) == links(second) == {("mail", name.lower()) for name in ids[:MOST_OF_ONE_FIELD]}
    assert '"networkmessageids": 250' in names("other_entities", first, field="details")[0]


def test_the_resolver_and_the_submitter_are_shown_and_tie_nothing() -> None:
    dns = evidence("DNS", fields={"DomainName": "evil.example", "DnsServerIp": {"Address": "203.0.113.53"}})
    mail = evidence("SubmissionMail", fields={"NetworkMessageId": "M", "Submitter": "admin@corp.example"})
    assert links(dns, mail) == {("host", "evil.example"), ("mail", "m")}
    assert names("ip_addresses", dns, field="address") == ["203.0.113.53"]


def test_hostile_nesting_ends_and_raises_nothing() -> None:
    deep = '{"Files":[' * 400 + "{}" + "]}" * 400
    many = '{"Type":"malware","Files":[' + ",".join(f'{{"Name":"a{n}"}}' for n in range(5_000)) + "]}"
    for text in (deep, many, '{"$id":"1","Files":[{"$ref":"1"}]}', '{"Urls":[1,null,[[]],{"Url":{}}],"Account":[[]]}'):
        assert len(read_entities(text, "Malware")) <= MOST_OF_ONE_FIELD + 1
