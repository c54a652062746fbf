"""TLS servers of every kind on loopback, and a proxy by which any host name leads to them."""
import contextlib
import socket
import ssl
import threading
import warnings

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"


def context_of(chain, key, low=None, high=None, ciphers=None, alpn=("http/1.1",)):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers(ciphers or "ALL:@SECLEVEL=0")  # it is the client that has to refuse
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context.minimum_version = low or ssl.TLSVersion.TLSv1_2
        if high:
            context.maximum_version = high
    context.load_cert_chain(chain, key)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def read_head(stream):
    head = b""
    while b"\r\n\r\n" not in head and (part := stream.recv(4096)):
        head += part
    return head


class Listener(contextlib.AbstractContextManager):
    """Gives each connection to `serve` in a thread of its own."""

    def __init__(self, serve):
        self.serve = serve
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection):
        with connection, contextlib.suppress(OSError, ValueError):
            connection.settimeout(60)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.serve(connection)


def tls(context, answer=ANSWER, notify=True):
    """Serves one request: by TLS, ended with close_notify or without."""
    def serve(connection):
        with context.wrap_socket(connection, server_side=True) as stream:
            if read_head(stream):
                stream.sendall(answer)
                if notify:
                    with contextlib.suppress(OSError):
                        stream.unwrap()
                else:
                    socket.socket(fileno=stream.detach()).close()
    return serve


def relay(a, b):
    with contextlib.suppress(OSError):
        while data := a.recv(65536):
            b.sendall(data)
    with contextlib.suppress(OSError):
        b.shutdown(socket.SHUT_WR)


def tunnel(connection):
    """CONNECT to any host leads to 127.0.0.1 at that port."""
    head = read_head(connection)
    target = head.split(b" ")[1].decode()
    with socket.create_connection(("127.0.0.1", int(target.rpartition(":")[2])), 60) as server:
        connection.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        back = threading.Thread(target=relay, args=(server, connection), daemon=True)
        back.start()
        relay(connection, server)
        back.join(60)
