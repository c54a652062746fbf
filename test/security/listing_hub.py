"""A Hub that says of one repository what it is told to, by HTTP on loopback; and what it was asked."""
import contextlib
import hashlib
import http.server
import json
import threading
import urllib.parse

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def content_of(name):
    return b"content of " + name.encode("utf-8", "surrogatepass")


def git_sha1(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class ListingHub(contextlib.AbstractContextManager):
    """`names` are the files of a/m; `etag` and `commit` replace what answers about files say. `log` holds what was asked
    after the listing."""

    def __init__(self):
        self.names, self.etag, self.commit, self.log = [], None, COMMIT, []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_HEAD(self):
                outer.answer(self)

            do_GET = do_POST = do_HEAD

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request):
        path = urllib.parse.urlsplit(request.path).path
        request.rfile.read(int(request.headers.get("content-length") or 0))
        if path.startswith("/api/models/a/m/tree/"):
            entries = [{"type": "file", "path": name, "size": len(content_of(name)),
                        "oid": self.etag or git_sha1(content_of(name))} for name in self.names]
            return self.send(request, json.dumps(entries).encode(), {"content-type": "application/json"})
        if path.startswith("/api/models/a/m"):
            about = {"id": "a/m", "sha": self.commit, "siblings": [{"rfilename": name} for name in self.names]}
            return self.send(request, json.dumps(about).encode(), {"content-type": "application/json"})
        self.log.append((request.command, path))
        _, _, rest = path.partition("/resolve/")
        name = urllib.parse.unquote(rest.partition("/")[2], errors="surrogateescape")
        if name not in self.names:
            return self.send(request, b"", {"x-error-code": "EntryNotFound", "x-repo-commit": self.commit}, 404)
        data = content_of(name)
        fields = {"etag": f'"{self.etag or git_sha1(data)}"', "x-repo-commit": self.commit}
        return self.send(request, data, fields)

    @staticmethod
    def send(request, body, fields, status=200):
        request.send_response(status)
        for name, value in fields.items():
            request.send_header(name, value)
        request.send_header("content-length", str(len(body)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)
