"""AWS as a host meets it: TLS at names that are this machine, moto behind."""

import datetime
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest.mock import patch

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials

from hostagent.metrics.cloudwatch import Credentials


class Front:
    """TLS before a plain server: what AWS's endpoint shows to hosts."""

    def __init__(self, behind: int, certificate: tuple[Path, Path]) -> None:
        self.bodies: list[bytes] = []
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        """Method, path and headers."""
        front = self

        class Handler(BaseHTTPRequestHandler):
            def _forward(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                front.bodies.append(body)
                front.requests.append((self.command, self.path, dict(self.headers.items())))
                head = "".join(
                    f"{k}: {v}\r\n" for k, v in self.headers.items() if k != "Connection"
                )
                with socket.create_connection(("127.0.0.1", behind)) as plain:
                    start = (
                        f"{self.command} {self.path} HTTP/1.1\r\n{head}Connection: close\r\n\r\n"
                    )
                    plain.sendall(start.encode() + body)
                    while chunk := plain.recv(65536):
                        self.wfile.write(chunk)
                self.close_connection = True

            def do_POST(self) -> None:
                self._forward()

            def do_PUT(self) -> None:
                self._forward()

            def log_message(self, format: str, *args: Any) -> None:
                """Tests look at the bodies."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        self.port = int(self._http.server_address[1])

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


def signature(
    service: str, request: tuple[str, str, dict[str, str]], body: bytes, keys: Credentials
) -> str:
    """What AWS's own library signs a request with, over all its headers but the signature."""
    method, path, sent = request
    unsigned = {"Authorization", "Accept-Encoding", "Content-Length", "User-Agent", "Connection"}
    signed = {
        name for name in sent if name not in unsigned or f"{name.lower()};" in sent["Authorization"]
    }
    moment = datetime.datetime.strptime(sent["X-Amz-Date"], "%Y%m%dT%H%M%SZ")
    kind = S3SigV4Auth if service == "s3" else SigV4Auth
    signer = kind(BotoCredentials(keys.key_id, keys.secret, keys.token), service, "eu-central-1")
    made = AWSRequest(
        method,
        f"https://{sent['Host']}{path}",
        data=body,
        headers={name: sent[name] for name in signed if name != "X-Amz-Date"},
    )
    with patch(
        "botocore.auth.get_current_datetime",
        return_value=moment.replace(tzinfo=datetime.UTC),
    ):
        signer.add_auth(made)
    return str(made.headers["Authorization"])
