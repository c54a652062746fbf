"""An HTTP/1.1 server whose answers are functions, for what real servers do only when they are ill."""
import contextlib
import socket
import threading


class Request:
    def __init__(self, head, body):
        first, *lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, _ = first.split(" ")
        self.path, _, self.query = self.target.partition("?")
        self.fields = [tuple(part.strip() for part in line.split(":", 1)) for line in lines]
        self.body = body

    def field(self, name):
        """The value, with others of that name behind commas; None where there is none."""
        values = [value for key, value in self.fields if key.lower() == name.lower()]
        return ", ".join(values) if values else None


class Exchange:
    """One request, how many of its path came before it, and the connection to answer on."""

    def __init__(self, request, before, connection):
        self.request, self.before, self.connection = request, before, connection
        self.keep_alive = True

    def send(self, data):
        self.connection.sendall(data)

    def answer(self, status=200, body=b"", fields=(), announced=None):
        """A whole answer, or one that is cut where more is announced than sent."""
        length = len(body) if announced is None else announced
        lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {length}", *(f"{k}: {v}" for k, v in fields)]
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + (b"" if self.request.method == "HEAD" else body))
        if announced is not None and announced > len(body):
            self.keep_alive = False


class ScriptedServer(contextlib.AbstractContextManager):
    """Gives each exchange to the route of its path. `requests` holds all that came."""

    def __init__(self):
        self.routes, self.requests = {}, []
        self._lock = threading.Lock()
        self._connections = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._listener.getsockname()[1]
        self.ended = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def route(self, path, answer):
        self.routes[path] = answer
        return self.url(path)

    def asked(self, path):
        with self._lock:
            return [request for request in self.requests if request.path == path]

    def __exit__(self, *_):
        self.ended.set()
        self._listener.close()
        with self._lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _accept(self):
        while not self.ended.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection, contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            input = connection.makefile("rb")
            while request := self._read(input):
                with self._lock:
                    before = sum(1 for one in self.requests if one.path == request.path)
                    self.requests.append(request)
                exchange = Exchange(request, before, connection)
                self.routes.get(request.path, lambda e: e.answer(404, b"no such path"))(exchange)
                if not exchange.keep_alive:
                    break
            input.close()
        with self._lock:
            self._connections.discard(connection)

    @staticmethod
    def _read(input):
        lines = []
        while (line := input.readline()) not in (b"\r\n", b""):
            lines.append(line.rstrip(b"\r\n"))
        if not lines:
            return None
        request = Request(b"\r\n".join(lines), b"")
        if request.field("transfer-encoding") == "chunked":
            while size := int(input.readline(), 16):
                request.body += input.read(size)
                input.readline()
            input.readline()
        else:
            request.body = input.read(int(request.field("content-length") or 0))
        return request
