#!/usr/bin/env python3
"""Drives the local Hub with the official Python client (huggingface_hub 1.x) and checks what comes back.

    python_client.py --hub URL [--cacert FILE]

Prints one line per step; exit status 0 only if every step is right. What the local Hub may claim about the real one
is what passes here.
"""

import argparse
import hashlib
import os
import sys
import tempfile
import traceback
from pathlib import Path

BIG_SIZE = 50 * 1000 * 1000
TOKEN = "hf_alice"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hub", required=True, help="URL that hfhub-local-hub printed")
    parser.add_argument("--cacert", help="the local Hub's authority (DIR/ca.pem)")
    return parser.parse_args()


def set_environment(arguments, scratch):
    """The client reads its environment when it is imported."""
    os.environ.update(
        HF_ENDPOINT=arguments.hub,
        HF_HOME=str(scratch / "hf_home"),
        HF_HUB_DISABLE_XET="1",
        HF_HUB_DISABLE_PROGRESS_BARS="1",
        HF_HUB_DISABLE_TELEMETRY="1",
        NO_PROXY="localhost,127.0.0.1,::1",
    )
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE"):
        os.environ.pop(name, None)
    if arguments.cacert:
        os.environ["SSL_CERT_FILE"] = arguments.cacert


def make_folder(root):
    """Small files, awkward names, and one file that is large enough for a multipart upload."""
    files = {
        "README.md": b"---\nlicense: apache-2.0\npipeline_tag: text-generation\ntags:\n- local-hub\n---\n# A model\n",
        "config.json": b'{"hidden_size": 64}',
        "empty.txt": b"",
        "dir with space/\u00fc#1 100%+a?.txt": "gr\u00fc\u00dfe \u2713\n".encode(),
        "\u65e5\u672c\u8a9e/\u30d5\u30a1\u30a4\u30eb.txt": "\u4e2d\u8eab".encode(),
        "small.bin": bytes(range(256)) * 40,
    }
    block = hashlib.sha256(b"local hub").digest() * 1024
    files["weights/model.safetensors"] = (block * (BIG_SIZE // len(block) + 1))[:BIG_SIZE]
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return files


class Steps:
    """Runs steps in order and prints how each went."""

    def __init__(self):
        self.failures = 0

    def run(self, name, action):
        try:
            note = action()
            print(f"ok      {name}" + (f": {note}" if note else ""), flush=True)
        except Exception:  # a step must not end the run: the others say what else is wrong
            self.failures += 1
            print(f"FAILED  {name}\n{traceback.format_exc()}", flush=True)


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def expect_error(error_type, action, status=None):
    try:
        action()
    except error_type as error:
        check(status is None or error.response.status_code == status, f"status {error.response.status_code}")
        return type(error).__name__
    raise AssertionError(f"no {error_type.__name__}")


class Scenario:
    def __init__(self, hub, scratch):
        from huggingface_hub import HfApi

        self.api = HfApi(endpoint=hub, token=TOKEN)
        self.hub = hub
        self.scratch = scratch
        self.repo = "alice/interop"
        self.files = {}

    def who_am_i(self):
        check(self.api.whoami()["name"] == "alice", "another name")

    def refuses_bad_token(self):
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError

        return expect_error(HfHubHTTPError, lambda: HfApi(endpoint=self.hub, token="hf_invalid").whoami(), 401)

    def create_repository(self):
        from huggingface_hub.errors import HfHubHTTPError

        self.api.delete_repo(self.repo, missing_ok=True)
        url = self.api.create_repo(self.repo)
        check(url.repo_id == self.repo, url)
        again = self.api.create_repo(self.repo, exist_ok=True)
        check(again.repo_id == self.repo, again)
        return expect_error(HfHubHTTPError, lambda: self.api.create_repo(self.repo), 409)

    def upload_folder(self):
        folder = self.scratch / "folder"
        self.files = make_folder(folder)
        info = self.api.upload_folder(repo_id=self.repo, folder_path=folder, commit_message="all files")
        check(len(info.oid) == 40, info)
        return f"{len(self.files)} files, commit {info.oid[:8]}"

    def upload_again(self):
        before = self.api.model_info(self.repo).sha
        info = self.api.upload_folder(repo_id=self.repo, folder_path=self.scratch / "folder")
        check(info.oid == before, "unchanged files made a commit")

    def list_files(self):
        found = set(self.api.list_repo_files(self.repo))
        check(found == set(self.files) | {".gitattributes"}, found)
        tree = {entry.path: entry for entry in self.api.list_repo_tree(self.repo, recursive=True, expand=True)}
        big = tree["weights/model.safetensors"]
        check(big.lfs.sha256 == hashlib.sha256(self.files[big.path]).hexdigest(), big)
        check(big.size == BIG_SIZE and big.last_commit.title == "all files", big)
        folders = [path for path in tree if path not in found]
        check("weights" in folders and "dir with space" in folders, folders)
        below = [entry.path for entry in self.api.list_repo_tree(self.repo, "dir with space")]
        check(below == ["dir with space/\u00fc#1 100%+a?.txt"], below)
        paths = self.api.get_paths_info(self.repo, ["config.json", "weights", "none"], expand=True)
        check([entry.path for entry in paths] == ["config.json", "weights"], paths)

    def snapshot(self):
        from huggingface_hub import snapshot_download

        path = snapshot_download(self.repo, cache_dir=self.scratch / "cache", endpoint=self.hub, token=TOKEN)
        for name, content in self.files.items():
            check((Path(path) / name).read_bytes() == content, f"{name} differs")
        return f"{sum(map(len, self.files.values()))} bytes compared"

    def verify_checksums(self):
        result = self.api.verify_repo_checksums(self.repo, cache_dir=self.scratch / "cache")
        check(not result.mismatches and result.checked_count == len(self.files) + 1, result)

    def info_and_search(self):
        info = self.api.model_info(self.repo, files_metadata=True)
        check(info.pipeline_tag == "text-generation" and "license:apache-2.0" in info.tags, info)
        check(any(sibling.lfs for sibling in info.siblings), "no LFS file among the siblings")
        check([m.id for m in self.api.list_models(search="INTEROP", author="alice")] == [self.repo], "search")
        check([m.id for m in self.api.list_models(filter="local-hub", full=True)] == [self.repo], "filter")
        check(not list(self.api.list_models(author="nobody")), "author")
        expanded = self.api.model_info(self.repo, expand=["sha", "tags"])
        check(expanded.sha == info.sha and expanded.siblings is None, expanded)

    def pages(self):
        for number in range(5):
            self.api.create_repo(f"alice/page-{number}", repo_type="dataset", exist_ok=True)
        found = [d.id for d in self.api.list_datasets(author="alice", search="page-")]
        check(len(found) == 5 and len(set(found)) == 5, found)
        check(len(list(self.api.list_datasets(author="alice", search="page-", limit=2))) == 2, "limit")

    def branches_and_tags(self):
        from huggingface_hub.errors import HfHubHTTPError, RevisionNotFoundError

        head = self.api.model_info(self.repo).sha
        self.api.create_branch(self.repo, branch="feat/\u00e4 b")
        self.api.create_tag(self.repo, tag="v1.0", tag_message="first")
        expect_error(HfHubHTTPError, lambda: self.api.create_tag(self.repo, tag="v1.0"), 409)
        self.api.create_branch(self.repo, branch="feat/\u00e4 b", exist_ok=True)
        refs = self.api.list_repo_refs(self.repo, include_pull_requests=True)
        check({branch.name for branch in refs.branches} == {"main", "feat/\u00e4 b"}, refs)
        check([(tag.name, tag.target_commit) for tag in refs.tags] == [("v1.0", head)], refs)
        check(self.api.revision_exists(self.repo, "v1.0"), "the tag is no revision")
        self.api.upload_file(
            repo_id=self.repo, path_or_fileobj=b"on a branch", path_in_repo="b.txt", revision="feat/\u00e4 b"
        )
        check(self.api.file_exists(self.repo, "b.txt", revision="feat/\u00e4 b"), "not on the branch")
        check(not self.api.file_exists(self.repo, "b.txt"), "on main, too")
        self.api.delete_branch(self.repo, branch="feat/\u00e4 b")
        self.api.delete_tag(self.repo, tag="v1.0")
        check([branch.name for branch in self.api.list_repo_refs(self.repo).branches] == ["main"], "not deleted")
        return expect_error(RevisionNotFoundError, lambda: self.api.delete_branch(self.repo, branch="none"))

    def download_at_revision(self):
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError, RevisionNotFoundError

        old = self.api.model_info(self.repo).sha
        self.api.upload_file(repo_id=self.repo, path_or_fileobj=b'{"v": 2}', path_in_repo="config.json")

        def fetch(revision, name="config.json"):
            return hf_hub_download(
                self.repo, name, revision=revision, cache_dir=self.scratch / "cache2", endpoint=self.hub, token=TOKEN
            )

        check(Path(fetch(old)).read_bytes() == self.files["config.json"], "the old revision differs")
        check(Path(fetch("main")).read_bytes() == b'{"v": 2}', "main differs")
        expect_error(EntryNotFoundError, lambda: fetch("main", "none.txt"))
        return expect_error(RevisionNotFoundError, lambda: fetch("nope"))

    def metadata(self):
        from huggingface_hub import get_hf_file_metadata, hf_hub_url

        url = hf_hub_url(self.repo, "weights/model.safetensors", endpoint=self.hub)
        data = get_hf_file_metadata(url, token=TOKEN)
        check(data.etag == hashlib.sha256(self.files["weights/model.safetensors"]).hexdigest(), data)
        check(data.size == BIG_SIZE and data.location != url, data)

    def deletes(self):
        from huggingface_hub.errors import EntryNotFoundError

        self.api.delete_file("small.bin", self.repo)
        check(not self.api.file_exists(self.repo, "small.bin"), "still there")
        self.api.delete_folder("dir with space", self.repo)
        check(self.api.file_exists(self.repo, "config.json"), "too much deleted")
        return expect_error(EntryNotFoundError, lambda: self.api.delete_file("small.bin", self.repo))

    def commits(self):
        from huggingface_hub import CommitOperationCopy
        from huggingface_hub.errors import HfHubHTTPError

        history = self.api.list_repo_commits(self.repo)
        check(history[-1].title == "initial commit" and len(history) >= 4, [c.title for c in history])
        stale = history[-1].commit_id
        upload = {"repo_id": self.repo, "path_or_fileobj": b"x", "path_in_repo": "x.txt"}
        expect_error(HfHubHTTPError, lambda: self.api.upload_file(parent_commit=stale, **upload), 412)
        self.api.upload_file(parent_commit=history[0].commit_id, **upload)
        copies = [
            CommitOperationCopy("weights/model.safetensors", "copy/model.safetensors"),
            CommitOperationCopy("config.json", "copy/config.json"),
        ]
        self.api.create_commit(self.repo, copies, commit_message="copy")
        copied = self.api.get_paths_info(self.repo, "copy/model.safetensors")[0]
        check(copied.size == BIG_SIZE and copied.lfs is not None, copied)

    def pull_request(self):
        info = self.api.upload_file(
            repo_id=self.repo, path_or_fileobj=b"pr", path_in_repo="pr.txt", create_pr=True, commit_message="a PR"
        )
        check(info.pr_revision == f"refs/pr/{info.pr_num}", info)
        check(self.api.file_exists(self.repo, "pr.txt", revision=info.pr_revision), "not on the PR")
        details = self.api.get_discussion_details(self.repo, info.pr_num)
        check(details.is_pull_request and details.title == "a PR", details)
        self.api.merge_pull_request(self.repo, info.pr_num)
        check(self.api.file_exists(self.repo, "pr.txt"), "not merged")

    def private_and_gated(self):
        from huggingface_hub import HfApi
        from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

        bob = HfApi(endpoint=self.hub, token="hf_bob")
        self.api.update_repo_settings(self.repo, gated="auto")
        expect_error(GatedRepoError, lambda: bob.hf_hub_download(self.repo, "config.json"), 403)
        self.api.update_repo_settings(self.repo, gated=False, private=True)
        expect_error(RepositoryNotFoundError, lambda: bob.model_info(self.repo))
        check(not bob.repo_exists(self.repo), "bob sees it")
        self.api.update_repo_settings(self.repo, private=False)
        expect_error(HfHubHTTPError, lambda: bob.delete_repo(self.repo), 403)
        return expect_error(HfHubHTTPError, lambda: bob.create_repo("alice/not-mine"), 403)

    def rename(self):
        moved = "acme/interop-moved"
        self.api.delete_repo(moved, missing_ok=True)
        self.api.move_repo(self.repo, moved)
        check(self.api.model_info(self.repo).id == moved, "the old name does not redirect")
        check(self.api.file_exists(self.repo, "config.json"), "the old name does not resolve")
        self.api.move_repo(moved, self.repo)

    def chat(self):
        from huggingface_hub import InferenceClient

        client = InferenceClient(base_url=f"{self.hub}/v1", api_key=TOKEN)
        messages = [{"role": "user", "content": "What does the river carry?"}]
        answer = client.chat_completion(messages, max_tokens=40)
        whole = answer.choices[0].message.content
        check(answer.usage.completion_tokens == 40 and answer.choices[0].finish_reason == "length", answer)
        options = {"include_usage": True}
        chunks = list(client.chat_completion(messages, max_tokens=40, stream=True, stream_options=options))
        streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        check(streamed == whole, f"{streamed!r} is not {whole!r}")
        check(chunks[-1].usage.total_tokens == answer.usage.total_tokens, chunks[-1])
        return whole[:40]

    def chat_tools(self):
        from huggingface_hub import InferenceClient

        client = InferenceClient(base_url=self.hub, api_key=TOKEN)
        weather = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}
        tools = [{"type": "function", "function": {"name": "weather", "parameters": weather}}]
        messages = [{"role": "user", "content": "Will it rain?"}]
        answer = client.chat_completion(messages, tools=tools, tool_choice="auto")
        call = answer.choices[0].message.tool_calls[0]
        check(call.function.name == "weather" and answer.choices[0].finish_reason == "tool_calls", answer)
        chunks = list(client.chat_completion(messages, tools=tools, tool_choice="required", stream=True))
        pieces = [c.choices[0].delta.tool_calls[0] for c in chunks if c.choices[0].delta.tool_calls]
        check("".join(p.function.arguments for p in pieces) == call.function.arguments, pieces)

    def delete_repository(self):
        from huggingface_hub.errors import RepositoryNotFoundError

        self.api.delete_repo(self.repo)
        for number in range(5):
            self.api.delete_repo(f"alice/page-{number}", repo_type="dataset")
        return expect_error(RepositoryNotFoundError, lambda: self.api.model_info(self.repo), 404)


def main():
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory() as directory:
        scratch = Path(directory)
        set_environment(arguments, scratch)
        import huggingface_hub

        print(f"huggingface_hub {huggingface_hub.__version__} against {arguments.hub}")
        scenario = Scenario(arguments.hub, scratch)
        steps = Steps()
        steps.run("whoami", scenario.who_am_i)
        steps.run("a bad token is refused", scenario.refuses_bad_token)
        steps.run("create a repository", scenario.create_repository)
        steps.run("upload a folder", scenario.upload_folder)
        steps.run("upload it again: nothing changes", scenario.upload_again)
        steps.run("list files, tree, paths", scenario.list_files)
        steps.run("download a snapshot", scenario.snapshot)
        steps.run("verify checksums", scenario.verify_checksums)
        steps.run("info and search", scenario.info_and_search)
        steps.run("pages of a listing", scenario.pages)
        steps.run("branches and tags", scenario.branches_and_tags)
        steps.run("download at a revision", scenario.download_at_revision)
        steps.run("metadata of a large file", scenario.metadata)
        steps.run("delete a file and a folder", scenario.deletes)
        steps.run("history, parent commit, copies", scenario.commits)
        steps.run("pull request", scenario.pull_request)
        steps.run("gated and private repositories", scenario.private_and_gated)
        steps.run("rename a repository", scenario.rename)
        steps.run("chat, whole and streamed", scenario.chat)
        steps.run("chat with tools", scenario.chat_tools)
        steps.run("delete the repository", scenario.delete_repository)
    print(f"{steps.failures} steps failed" if steps.failures else "all steps passed")
    return 1 if steps.failures else 0


if __name__ == "__main__":
    sys.exit(main())
