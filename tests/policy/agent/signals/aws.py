"""AWS as a host meets it: TLS at names that are this machine, moto behind."""

import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Front:
    """TLS before a plain server: what AWS's endpoint shows to hosts."""

    def __init__(self, behind: int, certificate: tuple[Path, Path]) -> None:
        self.bodies: list[bytes] = []
        front = self

        class Handler(BaseHTTPRequestHandler):
            def _forward(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                front.bodies.append(body)
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
