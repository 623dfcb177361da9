"""Evidence in the cloud: applications, sign-ins and Azure resources."""

from defender_assets.simulator.evidence.references import Columns, References, entity, merge_key
from defender_assets.simulator.scenes import Scene


def cloud_application(scene: Scene, _event: int) -> Columns:
    """A service that the tenant uses."""
    name = f"Example App {scene.application}"
    extra = References().new(AppId=scene.application, Name=name, InstanceName=name, Type="cloud-application")
    return entity("CloudApplication", extra | merge_key(name), Application=name, ApplicationId=scene.application)


def oauth_application(scene: Scene, _event: int) -> Columns:
    """An application to which a user gave consent."""
    application = f"00000000-0000-4000-8000-{scene.application:06x}{scene.serial:06x}"
    name = "Calendar Helper"
    return entity(
        "OAuthApplication",
        References().new(OAuthAppId=application, AppName=name, Type="oauth-application"),
        Application=name,
        OAuthApplicationId=application,
    )


def cloud_logon(scene: Scene, _event: int) -> Columns:
    """A sign-in."""
    request = f"{scene.mail.message_id[:-4]}{scene.serial % 65_536:04x}"
    extra = References().new(RequestId=request, Type="cloud-logon-request", **merge_key(request))
    return entity("CloudLogonRequest", extra)


def azure_resource(scene: Scene, _event: int) -> Columns:
    """A virtual machine, in the five newest columns."""
    subscription, name = scene.tenant.subscription_id, f"vm-{scene.serial}"
    group = f"/subscriptions/{subscription}/resourceGroups/rg-{scene.serial % 9}"
    path = f"{group}/providers/Microsoft.Compute/virtualMachines/{name}"
    return entity(
        "AzureResource",
        References().new(ResourceId=path, Type="azure-resource", **merge_key(path)),
        role="Impacted",
        CloudResource=name,
        CloudPlatform="Azure",
        ResourceType="Virtual Machine",
        ResourceID=path,
        SubscriptionId=subscription,
    )
