"""Downloads one file with huggingface_hub: python_peer.py REPO CACHE"""
import sys

from huggingface_hub import hf_hub_download

hf_hub_download(sys.argv[1], "big", cache_dir=sys.argv[2])
