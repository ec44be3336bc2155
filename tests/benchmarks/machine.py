"""What the machine can do at best, right now: the measure of all other figures.

Everything but the loopback is of one thread. Rates in MiB/s; `loopback` is from one process to
another, without any protocol of ours, and `noise` and `container` are the ciphers of the wire and
of sealed records, both ways.

    python -m tests.benchmarks.machine
"""

import hashlib
import json
import os
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from protocol.container import CHUNK_SIZE, ChunkCipher
from protocol.identity import SigningKey, is_valid_signature

MEBIBYTE = 1024 * 1024
SYNCS = 100
VERIFICATIONS = 2_000
CIPHERED_MIB = 64
LOOPBACK_MIB = 1_024
STARTS = 5


def measure() -> dict[str, Any]:
    return {
        "processors": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "fdatasync_ms": measure_syncs(),
        **measure_verifications(),
        "loopback_mib_per_second": measure_loopback(),
        "noise_mib_per_second": measure_noise(),
        "container_mib_per_second": measure_container(),
        "sha256_mib_per_second": measure_hashing(),
        "python_start_ms": measure_start(),
    }


def measure_syncs() -> float:
    with tempfile.TemporaryFile() as file:
        syncs = []
        for _ in range(SYNCS):
            file.write(bytes(400))
            file.flush()
            syncs.append(_seconds(lambda: os.fdatasync(file.fileno())))
    return round(1000 * statistics.median(syncs), 2)


def measure_verifications() -> dict[str, int]:
    """Return the rate by the clock, which others disturb, and by the processor's time."""
    key = SigningKey(hashlib.sha256(b"benchmark").digest())
    signature = key.sign(b"message")

    def verify() -> None:
        for _ in range(VERIFICATIONS):
            assert is_valid_signature(key.public, b"message", signature)

    cpu = time.thread_time()
    seconds = _seconds(verify)
    cpu = time.thread_time() - cpu
    return {
        "verifications_per_second": round(VERIFICATIONS / seconds),
        "verifications_per_cpu_second": round(VERIFICATIONS / cpu),
    }


def measure_loopback() -> int:
    """Return how fast another process takes what we write into a socket."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with subprocess.Popen([sys.executable, "-c", _READER, str(port)]) as reader:
            connection, _ = server.accept()
            piece = bytes(MEBIBYTE)

            def send() -> None:
                with connection:
                    for _ in range(LOOPBACK_MIB):
                        connection.sendall(piece)
                    connection.shutdown(socket.SHUT_WR)
                    connection.recv(1)

            seconds = _seconds(send)
            reader.wait()
    return round(LOOPBACK_MIB / seconds)


def measure_noise() -> int:
    cipher, piece = ChaCha20Poly1305(secrets.token_bytes(32)), secrets.token_bytes(CHUNK_SIZE)

    def there_and_back() -> None:
        for number in range(CIPHERED_MIB * MEBIBYTE // CHUNK_SIZE):
            nonce = number.to_bytes(12, "little")
            cipher.decrypt(nonce, cipher.encrypt(nonce, piece, None), None)

    return round(CIPHERED_MIB / _seconds(there_and_back))


def measure_container() -> int:
    """Return the rate of opening, which is what a fetch does."""
    cipher = ChunkCipher(secrets.token_bytes(32), secrets.token_bytes(16))
    sealed = cipher.seal(0, secrets.token_bytes(CHUNK_SIZE), last=False)

    def open_all() -> None:
        for _ in range(CIPHERED_MIB * MEBIBYTE // CHUNK_SIZE):
            cipher.open(0, sealed, last=False)

    return round(CIPHERED_MIB / _seconds(open_all))


def measure_hashing() -> int:
    piece = secrets.token_bytes(CHUNK_SIZE)

    def hash_all() -> None:
        hasher = hashlib.sha256()
        for _ in range(CIPHERED_MIB * MEBIBYTE // CHUNK_SIZE):
            hasher.update(piece)

    return round(CIPHERED_MIB / _seconds(hash_all))


def measure_start() -> float:
    def start() -> None:
        subprocess.run([sys.executable, "-I", "-c", ""], check=True)

    return round(1000 * statistics.median(_seconds(start) for _ in range(STARTS)), 1)


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


_READER = """
import socket, sys
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
buffer = bytearray(1024 * 1024)
while connection.recv_into(buffer):
    pass
"""


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(), indent=2) + "\n")
