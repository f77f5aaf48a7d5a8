#!/usr/bin/env python3
"""Stands in for a program for speech to text: prints how long a WAV file is, in words.

    speech_to_text.py TROUBLE FILE

If the file TROUBLE has the word "fail", it fails and removes the file. With the word "hang", it puts its process
number there and hangs.
"""

import os
import pathlib
import signal
import sys
import wave

trouble, path = map(pathlib.Path, sys.argv[1:])
word = trouble.read_text() if trouble.exists() else ""
if word == "fail":
    trouble.unlink()
    sys.exit("out of memory")
if word == "hang":
    new = trouble.with_suffix(".new")
    new.write_text(str(os.getpid()))
    new.rename(trouble)
    signal.pause()
with wave.open(str(path)) as file:
    print(f"  Für {file.getnframes()} frames lang sprach jemand.\n")
