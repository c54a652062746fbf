"""Streamed tokens with huggingface_hub's AsyncInferenceClient: python_peer.py BASE_URL CA STREAMS TOKENS"""
import asyncio
import os
import resource
import sys

os.environ["SSL_CERT_FILE"] = sys.argv[2]
from huggingface_hub import AsyncInferenceClient  # noqa: E402 (reads the environment)


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def main():
    client = AsyncInferenceClient(base_url=sys.argv[1], api_key="hf_bench")
    tokens = 0

    async def consume():
        nonlocal tokens
        stream = await client.chat_completion(
            [{"role": "user", "content": "Go on."}], stream=True,
            extra_body={"x_tokens": int(sys.argv[4]), "x_batch": 64})
        async for _ in stream:
            tokens += 1

    begin = cpu()
    await asyncio.gather(*(consume() for _ in range(int(sys.argv[3]))))
    print(tokens, cpu() - begin)


asyncio.run(main())
