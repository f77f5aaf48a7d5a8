"""What each call says, so that every file can be compared with it to the byte."""

import hashlib

RATE = 16000
FRAME_BYTES = 640
FRAMES_PER_SECOND = 50


class Audio:
    """The samples that all calls are taken from.

    The load generator goes round them as this does (ring_start in ring.c).
    """

    def __init__(self, path):
        samples = path.read_bytes()
        self.frames = len(samples) // FRAME_BYTES
        self.samples = memoryview(samples[: self.frames * FRAME_BYTES])

    def start(self, call):
        """The frame that a call begins with."""
        return call * 7919 % self.frames

    def pieces(self, call, frames):
        """The bytes of so many frames of a call, in pieces."""
        at = self.start(call)
        while frames > 0:
            count = min(frames, self.frames - at)
            yield self.samples[at * FRAME_BYTES : (at + count) * FRAME_BYTES]
            frames -= count
            at = 0

    def md5(self, call, frames):
        """What a FLAC of the call has in its header."""
        digest = hashlib.md5()
        for piece in self.pieces(call, frames):
            digest.update(piece)
        return digest.digest()

    def difference(self, file, call, frames):
        """Where what a file has from its present place on differs from the call: None, or a text."""
        place = 0
        for piece in self.pieces(call, frames):
            for begin in range(0, len(piece), 1 << 20):
                wanted = bytes(piece[begin : begin + (1 << 20)])
                found = file.read(len(wanted))
                if found != wanted:
                    differences = (index for index, pair in enumerate(zip(found, wanted)) if pair[0] != pair[1])
                    same = next(differences, len(found))
                    what = "ends" if same == len(found) else "differs"
                    return f"{what} at frame {(place + begin + same) // FRAME_BYTES} of {frames}"
            place += len(piece)
        return None
