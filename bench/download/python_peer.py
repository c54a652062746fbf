"""Downloads one file with huggingface_hub, or uploads a folder: python_peer.py REPO CACHE | python_peer.py REPO --folder FOLDER"""
import sys

from huggingface_hub import HfApi, hf_hub_download

if sys.argv[2] == "--folder":
    HfApi().create_repo(sys.argv[1], exist_ok=True)
    HfApi().upload_folder(repo_id=sys.argv[1], folder_path=sys.argv[3])
else:
    hf_hub_download(sys.argv[1], "big", cache_dir=sys.argv[2])
