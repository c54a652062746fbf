"""What the scripts of this folder share: servers of others, certificates, runs of hfhub-fetch, and checks."""
import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time

PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"
SANITIZERS = {name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")}
SKIPPED = 77


def program_arguments(*options):
    """The paths of the programs under test, by these options."""
    parser = argparse.ArgumentParser()
    for option in options:
        parser.add_argument(option, type=lambda text: pathlib.Path(text).resolve(), required=True)
    return parser.parse_args()


def installed(*names):
    """Of these programs, those that are there; the others are named."""
    here = [name for name in names if shutil.which(name, path=PATH)]
    missing = [name for name in names if name not in here]
    if missing:
        print("skipped, not installed:", ", ".join(missing), flush=True)
    return here


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def has_ipv6():
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


def wait_for(port, process=None):
    for _ in range(400):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process and process.poll() is not None:
            break
        time.sleep(0.025)
    raise RuntimeError(f"nothing listens on port {port}")


def eventually(text_of, wanted, seconds=2):
    """The text once it holds what is wanted: servers write their logs a little later than their answers."""
    end = time.monotonic() + seconds
    while wanted not in (text := text_of()) and time.monotonic() < end:
        time.sleep(0.02)
    return text


class Folder(contextlib.ExitStack):
    """A temporary folder, and the servers that live in it; they are ended by their ids."""

    def __init__(self):
        super().__init__()
        self.path = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
        os.chmod(self.path, 0o755)
        (self.path / "www").mkdir()

    def write(self, name, text, mode=0o644):
        path = self.path / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def read(self, name):
        path = self.path / name
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self, *argv, port, log=None, env=None):
        """Starts a server that listens on the port; what it says goes to the file `log` of this folder."""
        home = {"PATH": PATH, "HOME": str(self.path), "XDG_DATA_HOME": str(self.path)}
        with open(self.path / log if log else os.devnull, "ab") as output:
            process = subprocess.Popen([str(a) for a in argv], stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                                       env={**home, **(env or {})})
        self.callback(self._end, process)
        wait_for(port, process)
        return process

    @staticmethod
    def _end(process):
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def nginx(self, servers, port, http=""):
        """Started with these server blocks; `port` is one that they listen on."""
        temp = "".join(f"{name}_temp_path {self.path}/nginx-{name};\n"
                       for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        user = "user root;" if os.geteuid() == 0 else ""
        if has_ipv6():  # there "localhost" is ::1 too, and a proxy may ask for that first
            servers = re.sub(r"listen 127\.0\.0\.1:([^;]+;)", r"listen 127.0.0.1:\1 listen [::1]:\1", servers)
        config = self.write(f"nginx{port}.conf", f"""
daemon off; worker_processes 1; pid {self.path}/nginx{port}.pid; error_log {self.path}/nginx.log; {user}
events {{ worker_connections 2048; }}
http {{ access_log off; client_max_body_size 0; {temp} {http} {servers} }}
""")
        return self.start("nginx", "-c", config, "-p", self.path, port=port)

    def squid(self, port, settings="http_access allow all"):
        # Squid asks one address only, and most machines have ::1 too, where no server here listens.
        hosts = self.write("squid.hosts", "127.0.0.1 localhost\n", 0o644)
        config = self.write(f"squid{port}.conf", f"""http_port 127.0.0.1:{port}
{settings}
cache deny all
cache_mem 8 MB
maximum_object_size_in_memory 16 KB
pid_filename none
access_log stdio:{self.path}/squid.log
buffered_logs off
cache_log /dev/null
netdb_filename none
pinger_enable off
visible_hostname localhost
hosts_file {hosts}
coredump_dir {self.path}
shutdown_lifetime 0 seconds
""")
        if os.geteuid() == 0:
            self.write("squid.log", "", 0o666)  # it becomes another user
        self.start("squid", "-N", "-n", f"hfhub{port}", "-f", config, port=port)

    def tinyproxy(self, port, settings=""):
        config = self.write(f"tinyproxy{port}.conf", f"""Port {port}
Listen 127.0.0.1
Timeout 60
MaxClients 200
Allow 127.0.0.1
LogLevel Critical
PidFile "{self.path}/tinyproxy{port}.pid"
{settings}
""")
        self.start("tinyproxy", "-d", "-c", config, port=port)


class Authority:
    """A private authority and what it signs, as PEM files in one folder."""

    def __init__(self, folder, name="authority"):
        self.folder, self.name = folder, name
        self.key, self.cert = folder / f"{name}-key.pem", folder / f"{name}.pem"
        self._openssl("req", "-x509", *self._new_key(self.key), "-out", self.cert, "-days", "30", "-subj",
                      f"/CN=hfhub test {name}", "-addext", "basicConstraints=critical,CA:TRUE", "-addext",
                      "keyUsage=critical,keyCertSign,cRLSign")

    @staticmethod
    def _new_key(path):
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path)

    def _openssl(self, *argv):
        subprocess.run(["openssl", *map(str, argv)], check=True, capture_output=True, cwd=self.folder)

    def issue(self, name, alternatives="DNS:localhost,IP:127.0.0.1", days=30):
        """Key and certificate of a server; a negative number of days: one that has run out."""
        key, request, cert = (self.folder / f"{name}{end}.pem" for end in ("-key", "-request", ""))
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"basicConstraints=CA:FALSE\nsubjectAltName={alternatives}\n")
        self._openssl("req", "-new", *self._new_key(key), "-out", request, "-subj", f"/CN={name}")
        self._openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial",
                      "-days", days, "-extfile", extensions, "-out", cert)
        return key, cert


@dataclasses.dataclass
class Result:
    status: int
    out: bytes
    err: str
    seconds: float
    peak: int  # bytes of memory, as far as was seen

    def objects(self):
        """What --json printed."""
        return [json.loads(line) for line in self.out.splitlines()]


def peak_of(pid):
    """Of its memory, in bytes; 0 once it has ended. What wait4 tells counts the memory of the script, too, from the moment
    between fork and exec."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


class Fetch:
    """Runs hfhub-fetch in an environment that holds nothing but what is given."""

    def __init__(self, program):
        self.program = pathlib.Path(program).resolve()

    def __call__(self, *argv, env=None, limit=60):
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            begin = time.monotonic()
            process = subprocess.Popen([str(self.program), *map(str, argv)], stdout=out, stderr=err,
                                       stdin=subprocess.DEVNULL, env={"PATH": PATH, **SANITIZERS, **(env or {})})
            peak = 0
            while process.poll() is None:
                if time.monotonic() - begin > limit:
                    process.kill()
                peak = max(peak, peak_of(process.pid))
                time.sleep(0.002)
            seconds = time.monotonic() - begin
            out.seek(0)
            err.seek(0)
            return Result(process.returncode, out.read(), err.read().decode(errors="replace"), seconds, peak)


class Failed(Exception):
    pass


def expect(condition, *detail):
    if not condition:
        raise Failed(" ".join(str(d) for d in detail) or "not as expected")


class Checks:
    """One line for each check, and how many failed."""

    def __init__(self):
        self.failed = 0

    @contextlib.contextmanager
    def check(self, name):
        problem = ""
        try:
            yield
        except Failed as error:
            problem = str(error)
        except Exception as error:  # a check that breaks has failed, and the others go on
            problem = repr(error)
        self.failed += bool(problem)
        print(f"{'FAIL' if problem else 'ok  '} {name}{': ' + problem if problem else ''}", flush=True)

    def end(self):
        print(f"{self.failed} failed")
        return 1 if self.failed else 0
