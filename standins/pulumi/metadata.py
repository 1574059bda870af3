"""The instance metadata service (IMDSv2): the keys of a host's role, and nothing else.

Who asks is told by the private address that the request comes from, so the network must not
translate it on the way.
"""

import datetime
import json
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jmespath

from standins.pulumi.aws.account import Account

_TOKEN_PATH = "/latest/api/token"  # noqa: S105 - a path
_ROLE_PATH = "meta-data/iam/security-credentials"
_ADDRESSES = "NetworkInterfaces[].PrivateIpAddresses[].PrivateIpAddress"
_LIFETIME = datetime.timedelta(hours=6)


class MetadataServer:
    """Serves any number of addresses; tokens and credentials are of this process."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._tokens: set[str] = set()
        self._servers: list[ThreadingHTTPServer] = []

    def listen(self, address: str, port: int = 0) -> int:
        """Serves at one more socket and returns its port."""
        server = ThreadingHTTPServer((address, port), _handler(self))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self._servers.append(server)
        return int(server.server_address[1])

    def stop(self) -> None:
        """Closes every socket."""
        for server in self._servers:
            server.shutdown()
            server.server_close()
        self._servers.clear()

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


def _handler(metadata: MetadataServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            asked = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds")
            if self.path != _TOKEN_PATH or asked is None:
                self._send(400, "")
            else:
                self._send(200, metadata.token(), ttl=asked)

        def do_GET(self) -> None:
            prefix = "/latest/"
            if not self.path.startswith(prefix):
                self._send(404, "")
                return
            token = self.headers.get("X-aws-ec2-metadata-token")
            path = self.path.removeprefix(prefix)
            self._send(*metadata.answer(self.client_address[0], path, token))

        def _send(self, status: int, body: str, ttl: str | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(body.encode())))
            if ttl is not None:
                self.send_header("X-aws-ec2-metadata-token-ttl-seconds", ttl)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_arguments: object) -> None:
            """Keeps credentials' requests out of the log."""

    return Handler
