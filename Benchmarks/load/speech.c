/* Makes the audio of a benchmark: speech OUT SECONDS FIXTURE.wav
 *
 * Writes SECONDS of 16-bit little-endian mono samples at the fixture's rate, made of the fixture's speech over and
 * over. Every repetition is softer than the one before it and has noise of its own in its lowest bits, so that no 20 ms
 * of the result are like any others: calls that were mixed up, and frames that moved, show when the files are compared.
 * The same arguments make the same bytes on every machine; nothing here uses floating point.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where the samples of a RIFF WAV stand, or NULL when there are none. */
static const uint8_t *find_samples(const uint8_t *file, size_t length, size_t *bytes, uint32_t *rate) {
  size_t at = 12;
  if (length < 44 || memcmp(file, "RIFF", 4) != 0 || memcmp(file + 8, "WAVE", 4) != 0) return NULL;
  while (at + 8 <= length) {
    uint32_t size = file[at + 4] | file[at + 5] << 8 | file[at + 6] << 16 | (uint32_t)file[at + 7] << 24;
    if (memcmp(file + at, "fmt ", 4) == 0) {
      *rate = file[at + 12] | file[at + 13] << 8 | file[at + 14] << 16;
      if (file[at + 10] != 1 || file[at + 22] != 16) return NULL;
    } else if (memcmp(file + at, "data", 4) == 0) {
      *bytes = size < length - at - 8 ? size : length - at - 8;
      return file + at + 8;
    }
    at += 8 + size + (size & 1);
  }
  return NULL;
}

/* A 64-bit linear congruential generator (Knuth's MMIX constants). */
static uint32_t noise(uint64_t *state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(*state >> 33);
}

int main(int argc, char **argv) {
  if (argc != 4) return fprintf(stderr, "usage: speech OUT SECONDS FIXTURE.wav\n"), 2;
  FILE *in = fopen(argv[3], "rb");
  if (!in) return perror(argv[3]), 1;
  fseek(in, 0, SEEK_END);
  size_t length = (size_t)ftell(in);
  rewind(in);
  uint8_t *file = malloc(length);
  if (!file || fread(file, 1, length, in) != length) return perror(argv[3]), 1;
  fclose(in);

  size_t bytes = 0;
  uint32_t rate = 0;
  const uint8_t *speech = find_samples(file, length, &bytes, &rate);
  if (!speech || rate == 0 || bytes < 2) return fprintf(stderr, "%s is not a mono WAV of 16 bits\n", argv[3]), 1;

  FILE *out = fopen(argv[1], "wb");
  if (!out) return perror(argv[1]), 1;
  size_t wanted = (size_t)atol(argv[2]) * rate, count = bytes / 2;
  uint64_t state = 20;
  for (size_t index = 0; index < wanted; index++) {
    size_t round = index / count, place = index % count * 2;
    int sample = (int16_t)(speech[place] | speech[place + 1] << 8);
    /* Between full and a quarter of full level: quiet callers cost an encoder less than loud ones. */
    int level = 256 - (int)(round * 37 % 192);
    sample = sample * level / 256 + (int)(noise(&state) % 9) - 4;
    if (sample > 32767) sample = 32767;
    if (sample < -32768) sample = -32768;
    uint8_t pair[2] = {(uint8_t)(sample & 0xFF), (uint8_t)(sample >> 8 & 0xFF)};
    fwrite(pair, 1, 2, out);
  }
  if (ferror(out) || fclose(out) != 0) return perror(argv[1]), 1;
  free(file);
  return 0;
}
