"""CPU seconds per request of httpx over HTTP/2: httpx_peer.py URL CA COUNT CONCURRENCY"""
import asyncio
import resource
import ssl
import sys

import httpx

URL, CA, COUNT, CONCURRENCY = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def main():
    async with httpx.AsyncClient(http2=True, verify=ssl.create_default_context(cafile=CA)) as client:
        await client.get(URL)
        left = COUNT

        async def lane():
            nonlocal left
            while left > 0:
                left -= 1
                response = await client.get(URL)
                assert response.status_code == 200 and response.content

        begin = cpu()
        await asyncio.gather(*(lane() for _ in range(CONCURRENCY)))
        print((cpu() - begin) / COUNT)


asyncio.run(main())
