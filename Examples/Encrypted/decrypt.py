#!/usr/bin/env python3
"""Reads the files of the `encrypted` sink. Needs PyNaCl: the package python3-nacl of Debian, or `pip install pynacl`.

    decrypt.py keygen SECRET           writes a new secret key into a file, and prints its public key
    decrypt.py decrypt SECRET IN OUT   decrypts a recording into a WAV file

`decrypt` ends with 0 if the recording is whole, with 3 if it was cut, and with 1 if it is damaged or for another key.
The WAV file has everything up to the cut or the damage.
"""

import os
import struct
import sys
import wave

import nacl.bindings as sodium
import nacl.exceptions
import nacl.public

MARK = b"ENCPCM01"
FACTS, SEALED_KEY, HEADER = 16, 80, 24


def keygen(path):
    key = nacl.public.PrivateKey.generate()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(bytes(key))
    print(bytes(key.public_key).hex())


def messages(file, key, facts, header):
    """The content of each message, and whether it is the last of the recording."""
    state = sodium.crypto_secretstream_xchacha20poly1305_state()
    sodium.crypto_secretstream_xchacha20poly1305_init_pull(state, header, key)
    while True:
        length = file.read(4)
        sealed = file.read(struct.unpack("<I", length)[0]) if len(length) == 4 else b""
        if len(length) < 4 or len(sealed) < struct.unpack("<I", length)[0]:
            return
        content, tag = sodium.crypto_secretstream_xchacha20poly1305_pull(state, sealed, facts)
        yield content, tag == sodium.crypto_secretstream_xchacha20poly1305_TAG_FINAL


def decrypt(secret, source, target):
    with open(secret, "rb") as file:
        box = nacl.public.SealedBox(nacl.public.PrivateKey(file.read()))
    with open(source, "rb") as file:
        facts, sealed, header = file.read(FACTS), file.read(SEALED_KEY), file.read(HEADER)
        if not facts.startswith(MARK) or len(header) < HEADER:
            sys.exit(f"{source} is not a recording of the encrypted sink")
        rate, channels = struct.unpack("<II", facts[len(MARK):])
        if channels not in (1, 2):
            sys.exit(f"{source} is damaged: it has {channels} channels")
        is_whole = False
        with wave.open(target, "wb") as out:
            out.setparams((channels, 2, rate, 0, "NONE", None))
            try:
                for content, is_whole in messages(file, box.decrypt(sealed), facts, header):
                    out.writeframes(content)
            except (nacl.exceptions.CryptoError, RuntimeError, ValueError) as error:
                sys.exit(f"{source} is damaged, or for another key: {error}")
        if is_whole and file.read(1):
            sys.exit(f"{source} has something after its end")
    if not is_whole:
        print(f"{source} was cut: the end of the call is missing", file=sys.stderr)
        sys.exit(3)


if __name__ == "__main__":
    commands = {("keygen", 1): keygen, ("decrypt", 3): decrypt}
    command = commands.get((sys.argv[1] if len(sys.argv) > 1 else "", len(sys.argv) - 2))
    if command is None:
        sys.exit(__doc__)
    command(*sys.argv[2:])
