#!/usr/bin/env python3
"""Few descriptors: more requests side by side than a process may open sockets.

  descriptors.py --fetch BUILD/test/hfhub-fetch
"""
import resource
import sys

from peers import SKIPPED, Checks, Fetch, Folder, expect, free_port, installed, program_arguments


class FewDescriptors(Fetch):
    """With a limit like that of ulimit -n, for the children of this script only."""

    def under(self, limit, *argv):
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, before[1]))
        try:
            return self(*argv)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)


def main():
    arguments = program_arguments("--fetch")
    if not installed("nginx"):
        return SKIPPED
    checks, fetch = Checks(), FewDescriptors(arguments.fetch)
    with Folder() as folder:
        ports = [free_port() for _ in range(3)]
        (folder.path / "www/file").write_bytes(b"x" * 300_000)
        blocks = "".join(f"server {{ listen 127.0.0.1:{port}; root {folder.path}/www; limit_rate 3m; }} "
                         for port in ports)
        folder.nginx(blocks, ports[0])
        for limit, urls in ((256, 1), (64, 1), (64, 3), (24, 3)):
            with checks.check(f"ulimit -n {limit}: 200 requests side by side to {urls} servers, HTTP/1.1"):
                result = fetch.under(limit, "--http1", "--json", "--repeat", 200 // urls, "--concurrency", 200,
                                     *(f"http://localhost:{port}/file" for port in ports[:urls]))
                errors = [one["error"] for one in result.objects() if one["error"] or one["bytes"] != 300_000]
                expect(result.status == 0 and not errors, len(errors), *errors[:1], result.err)
                print(f"     {len(result.objects())} transfers in {result.seconds:.1f} s")
    return checks.end()


if __name__ == "__main__":
    sys.exit(main())
