"""tink_file.py seal|open KEY_HEX AAD SOURCE TARGET

Tink's AES256-GCM-HKDF-1MB streaming format without a prefix, written from its description with
python3-cryptography and nothing of musher's: the other side of the interoperability test.
"""
import os
import struct
import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SEGMENT, HEADER, TAG = 1 << 20, 40, 16


def cipher(key, salt, aad):
    return AESGCM(HKDF(algorithm=hashes.SHA256(), length=32, salt=salt, info=aad).derive(key))


def pieces(size, overhead):
    """(begin, end, is last) of each segment in a text of that size; the first is a header shorter."""
    begin, room = 0, SEGMENT - HEADER - overhead
    while True:
        end = min(size, begin + room)
        yield begin, end, end == size
        if end == size:
            return
        begin, room = end, SEGMENT - overhead


def nonce(prefix, index, last):
    return prefix + struct.pack(">IB", index, last)


def seal(key, aad, text):
    salt, prefix = os.urandom(32), os.urandom(7)
    aes = cipher(key, salt, aad)
    out = [bytes([HEADER]) + salt + prefix]
    for index, (begin, end, last) in enumerate(pieces(len(text), TAG)):
        out.append(aes.encrypt(nonce(prefix, index, last), text[begin:end], b""))
    return b"".join(out)


def unseal(key, aad, data):
    assert data[0] == HEADER
    aes, prefix, body = cipher(key, data[1:33], aad), data[33:40], data[40:]
    return b"".join(aes.decrypt(nonce(prefix, index, last), body[begin:end], b"")
                    for index, (begin, end, last) in enumerate(pieces(len(body), 0)))


verb, key_hex, aad_text, source, target = sys.argv[1:]
with open(source, "rb") as file:
    content = file.read()
work = {"seal": seal, "open": unseal}[verb]
with open(target, "wb") as file:
    file.write(work(bytes.fromhex(key_hex), aad_text.encode(), content))
