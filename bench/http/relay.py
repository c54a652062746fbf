#!/usr/bin/env python3
"""A TCP relay that is far away: relay.py TARGET_PORT ONE_WAY_SECONDS BYTES_PER_SECOND; prints its port.

Each direction holds what it has read until its time has come, and reads no faster than the rate.
"""
import contextlib
import queue
import socket
import sys
import threading
import time

PIECE = 64 * 1024


def hold(source, held, delay, rate):
    """Reads, and notes when each piece is to leave."""
    free_at = time.monotonic()
    with contextlib.suppress(OSError):
        while piece := source.recv(PIECE):
            free_at = max(free_at, time.monotonic()) + len(piece) / rate
            held.put((free_at + delay, piece))
            if (ahead := free_at - time.monotonic()) > 0.002:
                time.sleep(ahead)
    held.put((time.monotonic() + delay, b""))


def release(held, target):
    with contextlib.suppress(OSError):
        while True:
            at, piece = held.get()
            if (left := at - time.monotonic()) > 0:
                time.sleep(left)
            if not piece:
                return target.shutdown(socket.SHUT_WR)
            target.sendall(piece)


def relay(client, port, delay, rate):
    server = socket.create_connection(("127.0.0.1", port))
    for source, target in ((client, server), (server, client)):
        target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        held = queue.Queue()
        threading.Thread(target=hold, args=(source, held, delay, rate), daemon=True).start()
        threading.Thread(target=release, args=(held, target), daemon=True).start()


def main():
    port, delay, rate = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print("listening on", listener.getsockname()[1], flush=True)
        while True:
            relay(listener.accept()[0], port, delay, rate)


if __name__ == "__main__":
    main()
