"""The instance metadata service (IMDSv2): the keys of a host's role, and nothing else.

Who asks is told by the private address that the request comes from, so the network must not
translate it on the way.
"""

import datetime
import json
import secrets
from typing import Any

import jmespath
from werkzeug import Request, Response

from standins.pulumi.aws.account import Account
from standins.pulumi.aws.moto_server import Servers

_ROOT = "/latest/"
_LIFETIME_HEADER = "X-aws-ec2-metadata-token-ttl-seconds"
_ROLE_PATH = "meta-data/iam/security-credentials"
_ADDRESSES = "NetworkInterfaces[].PrivateIpAddresses[].PrivateIpAddress"
_LIFETIME = datetime.timedelta(hours=6)


class MetadataServer(Servers):
    """Serves any number of addresses; tokens and credentials live in this process."""

    def __init__(self, account: Account) -> None:
        super().__init__(Request.application(self._respond))
        self._account = account
        self._tokens: set[str] = set()

    def token(self) -> str:
        """A new session token."""
        token = secrets.token_urlsafe(32)
        self._tokens.add(token)
        return token

    def answer(self, address: str, path: str, token: str | None) -> tuple[int, str]:
        """Status and body for a path below `/latest/`."""
        instance = self._instance_of(address)
        if instance is None:
            return 404, ""
        required = (instance.get("MetadataOptions") or {}).get("HttpTokens") == "required"
        if token not in self._tokens and (required or token is not None):
            return 401, ""
        if path == "meta-data/ami-id":
            return 200, str(instance["ImageId"])
        if not path.startswith(_ROLE_PATH):
            return 404, ""
        return self._role(instance, path.removeprefix(_ROLE_PATH).strip("/"))

    def _role(self, instance: dict[str, Any], name: str) -> tuple[int, str]:
        profile = (instance.get("IamInstanceProfile") or {}).get("Arn", "").rsplit("/", 1)[-1]
        if not profile:
            return 404, ""
        iam = self._account.client("iam", "us-east-1")
        roles = iam.get_instance_profile(InstanceProfileName=profile)["InstanceProfile"]["Roles"]
        names = [role["RoleName"] for role in roles]
        if not name:
            return (200, "\n".join(names)) if names else (404, "")
        if name not in names:
            return 404, ""
        sts = self._account.client("sts", "us-east-1")
        given = sts.assume_role(
            RoleArn=roles[names.index(name)]["Arn"], RoleSessionName=str(instance["InstanceId"])
        )["Credentials"]
        now = datetime.datetime.now(datetime.UTC)
        return 200, json.dumps(
            {
                "Code": "Success",
                "LastUpdated": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "Type": "AWS-HMAC",
                "AccessKeyId": given["AccessKeyId"],
                "SecretAccessKey": given["SecretAccessKey"],
                "Token": given["SessionToken"],
                "Expiration": (now + _LIFETIME).strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        )

    def _instance_of(self, address: str) -> dict[str, Any] | None:
        alive = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
        for region in self._account.regions("ec2"):
            answer = self._account.client("ec2", region).describe_instances(Filters=alive)
            for instance in jmespath.search("Reservations[].Instances[]", answer):
                if address in jmespath.search(_ADDRESSES, instance):
                    return dict(instance)
        return None

    def _respond(self, request: Request) -> Response:
        lifetime = request.headers.get(_LIFETIME_HEADER)
        if request.method == "PUT":
            if request.path != f"{_ROOT}api/token" or lifetime is None:
                return Response(status=400)
            return Response(self.token(), headers={_LIFETIME_HEADER: lifetime})
        path, token = request.path, request.headers.get("X-aws-ec2-metadata-token")
        if request.method != "GET" or not path.startswith(_ROOT):
            return Response(status=404)
        status, body = self.answer(request.remote_addr or "", path.removeprefix(_ROOT), token)
        return Response(body, status, mimetype="text/plain")
