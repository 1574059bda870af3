"""What the other services reject because of what the account already has."""

import re

from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import CloudWatchBackend
from moto.route53.exceptions import ResourceRecordAlreadyExists
from moto.route53.models import Route53Backend
from moto.secretsmanager.exceptions import InvalidRequestException
from moto.secretsmanager.models import SecretsManagerBackend

from standins.pulumi.aws.rules import Asked, Moto, before

_MOST_CHILDREN = 100


@before(SecretsManagerBackend, "create_secret")
def _secret_in_recovery(manager: Moto, asked: Asked) -> None:
    """Source: DeleteSecret, RecoveryWindowInDays."""
    name = asked["name"]
    if name in manager.secrets and manager.secrets[name].is_deleted():
        raise InvalidRequestException(
            "You can't create this secret because a secret with this name is already scheduled"
            " for deletion."
        )


@before(Route53Backend, "change_resource_record_sets")
def _record_exists(route53: Moto, asked: Asked) -> None:
    """Source: ChangeResourceRecordSets, Action CREATE."""
    sets = route53.get_hosted_zone(asked["zoneid"]).rrsets
    present = {(record.name.rstrip(".").lower(), record.type) for record in sets}
    for change in asked["change_list"]:
        record = change["ResourceRecordSet"]
        name, kind = record["Name"].rstrip("."), record["Type"]
        if change["Action"] == "CREATE" and (name, kind) in present:
            raise ResourceRecordAlreadyExists(f"{name}.", kind)


@before(CloudWatchBackend, "put_metric_alarm")
def _children(cloudwatch: Moto, asked: Asked) -> None:
    """Source: PutCompositeAlarm, AlarmRule."""
    wanted = _alarms_of(asked.get("rule") or "")
    refused = "Could not save the composite alarm as"
    if len(wanted) > _MOST_CHILDREN:
        raise ValidationError(
            f"{refused} the alarm rule has {len(wanted)} children alarms; at most"
            f" {_MOST_CHILDREN} are allowed"
        )
    missing = ", ".join(sorted(wanted - set(cloudwatch.alarms)))
    if missing:
        raise ValidationError(f"{refused} alarms [{missing}] in the alarm rule do not exist")


@before(CloudWatchBackend, "delete_alarms")
def _child_in_use(cloudwatch: Moto, asked: Asked) -> None:
    for name in asked["alarm_names"]:
        for composite in cloudwatch.alarms.values():
            if name in _alarms_of(composite.rule or ""):
                raise ValidationError(
                    f"Cannot delete {name} as there are composite alarm(s) depending on it:"
                    f" {composite.name}"
                )


def _alarms_of(rule: str) -> set[str]:
    """The alarms that a composite alarm's rule names, quoted or not."""
    found = re.findall(r'(?:ALARM|OK|INSUFFICIENT_DATA)\(\s*"?([^")]+?)"?\s*\)', rule)
    return {name.rsplit(":alarm:", 1)[-1] for name in found}
