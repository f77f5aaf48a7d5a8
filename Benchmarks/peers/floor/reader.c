#include "floor.h"

#include <string.h>

/* Eight bytes at a time, to a place at or before the one that they come from. */
static void unmask(uint8_t *target, const uint8_t *source, size_t length, const uint8_t key[4]) {
  uint64_t wide;
  memcpy(&wide, key, 4);
  memcpy((uint8_t *)&wide + 4, key, 4);
  size_t index = 0;
  for (; index + 8 <= length; index += 8) {
    uint64_t word;
    memcpy(&word, source + index, 8);
    word ^= wide;
    memcpy(target + index, &word, 8);
  }
  for (; index < length; index++) target[index] = source[index] ^ key[index & 3];
}

static void turn_key(uint8_t key[4], size_t steps) {
  uint8_t turned[4];
  for (int index = 0; index < 4; index++) turned[index] = key[(index + steps) & 3];
  memcpy(key, turned, 4);
}

/* Whether the header is whole; it then says what the payload is. */
static bool read_header(struct reader *reader, struct decoded *decoded) {
  uint8_t *header = reader->header;
  int extra = (header[1] & 0x7F) == 126 ? 2 : (header[1] & 0x7F) == 127 ? 8 : 0;
  if (reader->header_length == 2) reader->header_wanted = 2 + extra + 4;
  if (reader->header_length < reader->header_wanted) return false;
  reader->remaining = extra ? 0 : header[1] & 0x7F;
  for (int index = 0; index < extra; index++) reader->remaining = reader->remaining << 8 | header[2 + index];
  memcpy(reader->key, header + 2 + extra, 4);
  reader->operation = header[0] & 0x0F;
  reader->control_length = 0;
  reader->header_length = 0;
  reader->header_wanted = 2;
  reader->in_payload = true;
  if (!(header[1] & 0x80) || (reader->operation >= 8 && reader->remaining > 125)) decoded->broken = true;
  if (reader->operation == 1) decoded->text_length = 0;
  return true;
}

static void end_frame(struct reader *reader, struct decoded *decoded) {
  reader->in_payload = false;
  if (reader->operation == 1) decoded->has_text = true;
  if (reader->operation == 8) decoded->has_close = true;
  if (reader->operation == 9) decoded->has_ping = true;
}

void reader_decode(struct reader *reader, uint8_t *buffer, size_t length, struct decoded *decoded) {
  size_t at = 0;
  if (reader->header_wanted == 0) reader->header_wanted = 2;
  while (at < length && !decoded->broken && !decoded->has_close) {
    if (!reader->in_payload) {
      reader->header[reader->header_length++] = buffer[at++];
      if (reader->header_length >= 2 && read_header(reader, decoded) && reader->remaining == 0)
        end_frame(reader, decoded);
      continue;
    }
    size_t piece = reader->remaining < length - at ? (size_t)reader->remaining : length - at;
    if (reader->operation == 2) {
      unmask(buffer + decoded->audio, buffer + at, piece, reader->key);
      decoded->audio += piece;
    } else if (reader->operation == 1 && decoded->text_length + piece < sizeof decoded->text) {
      unmask((uint8_t *)decoded->text + decoded->text_length, buffer + at, piece, reader->key);
      decoded->text_length += piece;
    } else if (reader->operation >= 8) {
      unmask(reader->control + reader->control_length, buffer + at, piece, reader->key);
      reader->control_length += (uint8_t)piece;
    }
    turn_key(reader->key, piece);
    at += piece;
    reader->remaining -= piece;
    if (reader->remaining == 0) end_frame(reader, decoded);
  }
}
