"""Evidence in the cloud: applications, sign-ins and Azure resources.

Accounts do not belong here.
"""

from defender_assets.simulator.evidence.references import Columns, References, merge_key
from defender_assets.simulator.scenes import Scene


def cloud_application(scene: Scene, _event: int) -> Columns:
    """A service that the tenant uses."""
    name = f"Example App {scene.application}"
    extra = References().new(AppId=scene.application, Name=name, InstanceName=name, Type="cloud-application")
    return {
        "EntityType": "CloudApplication",
        "EvidenceRole": "Related",
        "Application": name,
        "ApplicationId": scene.application,
        "AdditionalFields": extra | merge_key(name),
    }


def oauth_application(scene: Scene, _event: int) -> Columns:
    """An application that someone gave consent to."""
    application = f"00000000-0000-4000-8000-{scene.application:06x}{scene.serial:06x}"
    name = "Calendar Helper"
    return {
        "EntityType": "OAuthApplication",
        "EvidenceRole": "Related",
        "Application": name,
        "OAuthApplicationId": application,
        "AdditionalFields": References().new(OAuthAppId=application, AppName=name, Type="oauth-application"),
    }


def cloud_logon(scene: Scene, _event: int) -> Columns:
    """A sign-in."""
    request = f"{scene.mail.message_id[:-4]}{scene.serial % 65_536:04x}"
    extra = References().new(RequestId=request, Type="cloud-logon-request", **merge_key(request))
    return {"EntityType": "CloudLogonRequest", "EvidenceRole": "Related", "AdditionalFields": extra}


def azure_resource(scene: Scene, _event: int) -> Columns:
    """A virtual machine, in the five newest columns."""
    subscription, name = scene.tenant.subscription_id, f"vm-{scene.serial}"
    group = f"/subscriptions/{subscription}/resourceGroups/rg-{scene.serial % 9}"
    path = f"{group}/providers/Microsoft.Compute/virtualMachines/{name}"
    return {
        "EntityType": "AzureResource",
        "EvidenceRole": "Impacted",
        "CloudResource": name,
        "CloudPlatform": "Azure",
        "ResourceType": "Virtual Machine",
        "ResourceID": path,
        "SubscriptionId": subscription,
        "AdditionalFields": References().new(ResourceId=path, Type="azure-resource", **merge_key(path)),
    }
