#!/usr/bin/env python3
"""Known answers for the draws of algorithm 1, from the standard library alone.

Usage: python3 vectors.py > draws-v1.json
"""
import hashlib
import hmac
import json
import struct


def field(b):
    return struct.pack(">I", len(b)) + b


def quarter(s, a, b, c, d):
    for x, y, z, r in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[x] = (s[x] + s[y]) & 0xFFFFFFFF
        v = s[z] ^ s[x]
        s[z] = ((v << r) | (v >> (32 - r))) & 0xFFFFFFFF


def words(key):
    """ChaCha20 (RFC 8439) with a zero nonce from block 0, as its 32-bit words."""
    counter = 0
    while True:
        start = list(struct.unpack("<4I", b"expand 32-byte k")) + list(struct.unpack("<8I", key)) + [counter, 0, 0, 0]
        s = start[:]
        for _ in range(10):
            for i in range(4):
                quarter(s, i, 4 + i, 8 + i, 12 + i)
            for i in range(4):
                quarter(s, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
        for a, b in zip(s, start):
            yield (a + b) & 0xFFFFFFFF
        counter += 1


def vector(seed, client, module, round_id, nonce, bounds):
    context = field(b"edgereel/draws/1") + struct.pack(">H", 1) + field(client) + field(module) + struct.pack(">QQ", round_id, nonce)
    key = hmac.new(seed, context, hashlib.sha256).digest()
    stream = words(key)
    values, log = [], b""
    for i, bound in enumerate(bounds):
        rejects = 0
        while True:
            x = next(stream)
            product = x * bound
            # Reject the words that would give a value one word too many.
            if product % 2**32 >= 2**32 % bound:
                break
            rejects += 1
        values.append(product >> 32)
        log += struct.pack(">IIII", i, bound, product >> 32, rejects)
    digest = hashlib.sha256(field(b"edgereel/draw-log/1") + struct.pack(">HI", 1, len(bounds)) + log).hexdigest()
    commitment = hashlib.sha256(field(b"edgereel/seed-commitment/1") + seed).hexdigest()
    return {
        "seed": seed.hex(), "client_seed": client.hex(), "module": module.hex(), "round_id": round_id, "step_nonce": nonce,
        "commitment": commitment, "key": key.hex(), "bounds": bounds, "values": values, "draws_digest": digest,
    }


def main():
    reels = [22, 24, 26, 24, 22]
    wide = [2**31 + 1, 2**32 - 1, 3 * 2**30, 1, 2**31 + 1, 2**31 + 1]
    out = [
        vector(bytes(32), b"", bytes(32), 0, 0, reels),
        vector(bytes(range(32)), b"player seed", hashlib.sha256(b"module").digest(), 1, 1, reels),
        vector(bytes(range(32)), b"player seed", hashlib.sha256(b"module").digest(), 1, 2, wide * 4),
        vector(b"\xff" * 32, b"\x00" * 64, b"\xff" * 32, 2**64 - 1, 2**64 - 1, list(range(1, 41))),
        vector(b"\x01" * 32, b"x", b"\x02" * 32, 7, 9, []),
    ]
    print(json.dumps(out, indent=1))


main()
