"""Certificates of every kind, good and bad, made by openssl on the spot."""
import subprocess

AUTHORITY = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign"
# A certificate that nobody has issued a serial for is refused by nobody; one number does for all.
CA_CONFIG = """[ca]
default_ca=c
[c]
new_certs_dir=.
database=index
serial=serial
default_md=sha256
policy=p
unique_subject=no
[p]
commonName=supplied
"""


class Cert:
    def __init__(self, name, key, pem, issuer):
        self.name, self.key, self.pem, self.issuer = name, key, pem, issuer

    def chain(self):
        """With what has issued it, without the root."""
        text, cert = "", self
        while cert and (cert.issuer or cert is self):
            text += cert.pem.read_text()
            cert = cert.issuer
        return text


class Maker:
    def __init__(self, folder):
        self.folder = folder
        self.count = 0
        (folder / "ca.conf").write_text(CA_CONFIG)
        (folder / "index").write_text("")
        (folder / "serial").write_text("1000\n")

    def openssl(self, *argv):
        done = subprocess.run(["openssl", *map(str, argv)], capture_output=True, cwd=self.folder)
        if done.returncode:
            raise RuntimeError(f"openssl {argv}: {done.stderr.decode()}")

    def key(self, kind):
        path = self.folder / f"key{self.count}.pem"
        if kind.startswith("rsa"):
            self.openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{kind[3:]}", "-out", path)
        else:
            self.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{kind}", "-out", path)
        return path

    def make(self, name, issuer=None, san=None, extensions="", days=30, kind="P-256", digest="sha256", period=None):
        """A certificate of CN=`name`; self-signed where there is no issuer."""
        self.count += 1
        key, request, pem, settings = self.key(kind), *(self.folder / f"{self.count}.{end}" for end in ("csr", "pem", "ext"))
        lines = [extensions] if extensions else ["basicConstraints=CA:FALSE"]
        settings.write_text("\n".join(lines + ([f"subjectAltName={san}"] if san else [])) + "\n")
        self.openssl("req", "-new", "-key", key, "-subj", f"/CN={name}", "-out", request)
        signer = ("-CA", issuer.pem, "-CAkey", issuer.key) if issuer else ("-signkey", key)
        if period:
            authority = issuer or Cert(name, key, pem, None)
            self.openssl("ca", "-batch", "-notext", "-config", "ca.conf", "-cert", authority.pem, "-keyfile", authority.key,
                         "-in", request, "-out", pem, "-startdate", period[0], "-enddate", period[1], "-extfile", settings)
        else:
            self.openssl("x509", "-req", "-in", request, *signer, "-set_serial", 100 + self.count, "-days", days,
                         f"-{digest}", "-extfile", settings, "-out", pem)
        return Cert(name, key, pem, issuer)

    def rewrite(self, cert, old, new):
        """Bytes of the certificate replaced by as many others, and signed again by its issuer, whose key is RSA 2048."""
        der = self.folder / "rewritten.der"
        self.openssl("x509", "-in", cert.pem, "-outform", "DER", "-out", der)
        data = der.read_bytes()
        if data.count(old) != 1 or len(old) != len(new):
            raise RuntimeError("nothing to rewrite")
        signed = data[4:8 + int.from_bytes(data[6:8], "big")].replace(old, new)
        der.write_bytes(signed)
        self.openssl("dgst", "-sha256", "-sign", cert.issuer.key, "-out", "signature", der)
        signature = (self.folder / "signature").read_bytes()
        der.write_bytes(data[:4] + signed + data[4 + len(signed):-len(signature)] + signature)
        self.openssl("x509", "-inform", "DER", "-in", der, "-out", cert.pem)
        return cert

    def authority(self, name, issuer=None, more="", **options):
        extensions = options.pop("extensions", AUTHORITY) + ("\n" + more if more else "")
        return self.make(name, issuer, extensions=extensions, **options)


def der_names(*names):
    """subjectAltName of DNS names as they are, bytes and all, for openssl's DER: form."""
    entries = b"".join(b"\x82" + bytes([len(name)]) + name for name in names)
    return "DER:" + (b"\x30" + bytes([len(entries)]) + entries).hex(":")
