"""Runs the fuzz targets and says of each what it did: executions, their rate, coverage, findings. Exit status 1 on a finding."""

import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
MOST_BYTES = 4096
OPTIONS = [f"-max_len={MOST_BYTES}", "-timeout=10", "-rss_limit_mb=1024", "-malloc_limit_mb=256", "-print_final_stats=1"]
SANITIZERS = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
}


def call(command, log):
    """Runs to the end; returns the exit status and the CPU seconds."""
    process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=os.environ | SANITIZERS)
    try:
        _, status, used = os.wait4(process.pid, 0)
    except BaseException:
        process.kill()
        raise
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, used.ru_utime + used.ru_stime


class Target:
    def __init__(self, build, name):
        self.name = name
        self.program = build / "test" / "fuzz" / f"fuzz-{name}"
        self.seeds = HERE / "corpus" / name
        self.found = build / "corpus" / name
        self.findings = build / "findings" / name
        for folder in (self.found, self.findings):
            folder.mkdir(parents=True, exist_ok=True)

    def run(self, seconds, runs):
        """Slices until so much CPU time is used, since libFuzzer itself counts what the clock says."""
        executions, used, coverage, status = 0, 0.0, "?", 0
        before = set(self.findings.iterdir())
        dictionary = HERE / "dictionaries" / self.name
        while status == 0 and (executions == 0 if runs else used < seconds - 0.5):
            with tempfile.TemporaryFile("w+") as log:
                limit = [f"-runs={runs}"] if runs else [f"-max_total_time={max(1, round(seconds - used))}"]
                command = [str(self.program), *OPTIONS, *limit, f"-artifact_prefix={self.findings}/"]
                command += [f"-dict={dictionary}"] if dictionary.exists() else []
                status, cpu = call(command + [str(self.found), str(self.seeds)], log)
                log.seek(0)
                text = log.read()
            used += cpu
            executions += int((re.findall(r"stat::number_of_executed_units: +(\d+)", text) or ["0"])[-1])
            coverage = (re.findall(r"cov: (\d+)", text) or [coverage])[-1]
            if status != 0:
                lines = text.splitlines()
                print("\n".join(line for line in lines[-120:]), file=sys.stderr)
        new = set(self.findings.iterdir()) - before
        rate = executions / max(used, 0.01)
        print(f"{self.name:16} {executions:10} executions {rate:8.0f}/s {used:7.1f} s CPU  coverage {coverage:>5}  "
              f"findings {max(len(new), int(status != 0))}", flush=True)
        for path in sorted(new):
            print(f"    {path}", flush=True)
        return status == 0

    def merge(self):
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as log:
            # Without counters: an input is kept for what it reaches, not for how often.
            command = [str(self.program), *OPTIONS, "-merge=1", "-use_counters=0", folder, str(self.seeds), str(self.found)]
            status, _ = call(command, log)
            if status != 0:
                log.seek(0)
                sys.exit(log.read())
            shutil.rmtree(self.seeds)
            shutil.copytree(folder, self.seeds)
        files = list(self.seeds.iterdir())
        print(f"{self.name:16} {len(files)} inputs of {sum(path.stat().st_size for path in files)} bytes")
        return True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--runs", type=int, default=0)
    parser.add_argument("--parallel", type=int, default=1)
    parser.add_argument("--merge", action="store_true")
    parser.add_argument("targets", nargs="*")
    arguments = parser.parse_args()
    names = arguments.targets or sorted(path.name for path in (HERE / "corpus").iterdir())
    targets = [Target(arguments.build, name) for name in names]
    with concurrent.futures.ThreadPoolExecutor(arguments.parallel) as pool:
        work = [pool.submit(one.merge) if arguments.merge else pool.submit(one.run, arguments.seconds, arguments.runs)
                for one in targets]
        results = [one.result() for one in work]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
