"""A relay between sensor and plan service that misbehaves on demand, and a server that only claims to be the service."""

import http.server
import os
import socket
import ssl
import subprocess
import threading
import time


class Relay:
    """Accepts connections on a port and passes them to the service. `mode` says how:

    pass, slow (a few KiB a second), stall (accepts and never answers), lose (passes the request, cuts the answer), cut
    (cuts the request), busy (answers 429 with Retry-After), page (answers 200 with a web page instead of a receipt).
    """

    def __init__(self, port, upstream):
        self.mode, self.upstream, self.turn = "pass", list(upstream), 0
        self.listener = socket.create_server(("127.0.0.1", port), backlog=64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                time.sleep(0.05)
                continue
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def connect(self):
        """Connects to the next service that answers."""
        for _ in self.upstream:
            self.turn += 1
            try:
                return socket.create_connection(("127.0.0.1", self.upstream[self.turn % len(self.upstream)]), 60)
            except OSError:
                pass
        return None

    def serve(self, client):
        mode = self.mode
        with client:
            if mode == "stall":
                while self.mode == "stall":
                    time.sleep(0.1)
                return
            if mode in ("busy", "page"):
                client.recv(65536)
                answer = (
                    "HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\n"
                    if mode == "busy"
                    else "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n"
                )
                client.sendall(f"{answer}connection: close\r\ncontent-length: 6\r\n\r\n<html>".encode())
                return
            service = self.connect()
            if service is None:
                return
            with service:
                if mode == "cut":
                    service.sendall(client.recv(200))
                    return
                back = threading.Thread(target=self.pump, args=(service, client, mode), daemon=True)
                back.start()
                self.pump(client, service, "pass" if mode == "lose" else mode)
                back.join(300)

    def pump(self, source, target, mode):
        """Passes data on until one side ends or the mode changes."""
        source.settimeout(0.5)
        while self.mode == mode or mode == "pass" and self.mode in ("pass", "lose"):
            try:
                data = source.recv(512 if mode == "slow" else 65536)
            except TimeoutError:
                continue
            except OSError:
                break
            if not data or mode == "lose":
                break
            if mode == "slow":
                time.sleep(0.1)
            try:
                target.sendall(data)
            except OSError:
                break
        for side in (source, target):
            try:
                side.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def stranger(port, directory):
    """An HTTPS server with a self-signed certificate, which would accept any upload."""
    key, certificate = os.path.join(directory, "key.pem"), os.path.join(directory, "cert.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )
    taken = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            taken.append(self.path)
            self.send_response(201)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, taken
