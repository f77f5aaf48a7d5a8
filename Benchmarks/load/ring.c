#include "loadgen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ring ring_load(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) {
    perror(path);
    exit(1);
  }
  fseek(file, 0, SEEK_END);
  struct ring ring = {.count = ftell(file) / FRAME_BYTES};
  rewind(file);
  ring.units = malloc((size_t)ring.count * UNIT_BYTES);
  if (ring.count == 0 || !ring.units) {
    fprintf(stderr, "%s holds no whole frame\n", path);
    exit(1);
  }
  uint32_t random = 0x9E3779B9;
  for (long index = 0; index < ring.count; index++) {
    uint8_t *unit = ring.units + index * UNIT_BYTES;
    /* FIN and binary; masked, 16 bits of length. */
    unit[0] = 0x82;
    unit[1] = 0x80 | 126;
    unit[2] = FRAME_BYTES >> 8;
    unit[3] = FRAME_BYTES & 0xFF;
    /* Xorshift (Marsaglia): every frame has another key, as the standard asks for. */
    random ^= random << 13;
    random ^= random >> 17;
    random ^= random << 5;
    memcpy(unit + 4, &random, 4);
    if (fread(unit + HEADER_BYTES, 1, FRAME_BYTES, file) != FRAME_BYTES) {
      perror(path);
      exit(1);
    }
    for (int place = 0; place < FRAME_BYTES; place++) unit[HEADER_BYTES + place] ^= unit[4 + place % 4];
  }
  fclose(file);
  return ring;
}

/* 7919 is prime: no two calls share a start unless the number of frames is a multiple of it, or there are more calls
 * than frames. */
long ring_start(const struct ring *ring, long call) { return call * 7919 % ring->count; }
