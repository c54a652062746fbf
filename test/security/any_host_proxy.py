"""A proxy that is every host of the world: it answers requests in absolute form, and ends the TLS of tunnels itself."""
import contextlib
import ssl
import threading

from tls_server import Listener


class Seen:
    def __init__(self, origin, method, target, fields, proxy_fields):
        self.origin, self.method, self.target, self.fields, self.proxy_fields = origin, method, target, fields, proxy_fields

    def field(self, name):
        return next((value for key, value in self.fields if key == name), None)


def read_message(stream):
    """Method, target, fields; None at the end."""
    first = stream.readline().decode("latin-1").split(" ")
    if len(first) < 3:
        return None
    fields = []
    while (line := stream.readline().decode("latin-1").strip()):
        name, _, value = line.partition(":")
        fields.append((name.strip().lower(), value.strip()))
    stream.read(int(dict(fields).get("content-length", 0)))
    return first[0], first[1], fields


class AnyHostProxy(Listener):
    """`respond(seen)` gives status, fields and body. `seen` are all requests that hosts got."""

    def __init__(self, chain, key, respond):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(chain, key)
        self.context.set_alpn_protocols(["http/1.1"])
        self.respond, self.seen, self.lock = respond, [], threading.Lock()
        super().__init__(self.one)

    def one(self, connection):
        with connection.makefile("rb") as stream:
            while message := read_message(stream):
                method, target, fields = message
                if method == "CONNECT":
                    connection.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                    with contextlib.suppress(ssl.SSLError):
                        self.tunnel(connection, f"https://{target}", fields)
                    return
                scheme, _, rest = target.partition("://")
                host, slash, path = rest.partition("/")
                hop = ("proxy-authorization", "proxy-connection")
                self.answer(connection, Seen(f"{scheme}://{with_port(host, 80)}", method, slash + path,
                                             [one for one in fields if one[0] not in hop],
                                             [one for one in fields if one[0] in hop]))

    def tunnel(self, connection, origin, proxy_fields):
        with self.context.wrap_socket(connection, server_side=True) as inner, inner.makefile("rb") as stream:
            while message := read_message(stream):
                self.answer(inner, Seen(origin, *message, proxy_fields))

    def answer(self, connection, seen):
        with self.lock:
            self.seen.append(seen)
        status, fields, body = self.respond(seen)
        lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in fields)]
        if "content-length" not in dict(fields):
            lines.append(f"content-length: {len(body)}")
        connection.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (b"" if seen.method == "HEAD" else body))
        if seen.method != "HEAD" and int(dict(fields).get("content-length", 0)) > len(body):
            raise ConnectionAbortedError("cut")


def with_port(host, port):
    return host if ":" in host.rpartition("]")[2] else f"{host}:{port}"
