/* The answer to a WebSocket's request: RFC 6455, section 4.2.2, with SHA-1 as in RFC 3174. */
#include "floor.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static uint32_t rotate(uint32_t value, int bits) { return value << bits | value >> (32 - bits); }

static void sha1_block(uint32_t state[5], const uint8_t block[64]) {
  uint32_t words[80], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
  for (int i = 0; i < 16; i++)
    words[i] = (uint32_t)block[i * 4] << 24 | block[i * 4 + 1] << 16 | block[i * 4 + 2] << 8 | block[i * 4 + 3];
  for (int i = 16; i < 80; i++) words[i] = rotate(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
  for (int i = 0; i < 80; i++) {
    uint32_t mix = i < 20   ? ((b & c) | (~b & d)) + 0x5A827999
                   : i < 40 ? (b ^ c ^ d) + 0x6ED9EBA1
                   : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDC
                            : (b ^ c ^ d) + 0xCA62C1D6;
    uint32_t next = rotate(a, 5) + mix + e + words[i];
    e = d, d = c, c = rotate(b, 30), b = a, a = next;
  }
  state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e;
}

/* For texts of at most 119 bytes, which is two blocks with their padding; a key and its suffix are 60. */
static void sha1(const char *text, size_t length, uint8_t digest[20]) {
  uint32_t state[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
  uint8_t blocks[128] = {0};
  size_t size = length < 56 ? 64 : 128;
  memcpy(blocks, text, length);
  blocks[length] = 0x80;
  blocks[size - 2] = (uint8_t)(length * 8 >> 8);
  blocks[size - 1] = (uint8_t)(length * 8);
  for (size_t at = 0; at < size; at += 64) sha1_block(state, blocks + at);
  for (int i = 0; i < 20; i++) digest[i] = (uint8_t)(state[i / 4] >> (24 - i % 4 * 8));
}

/* 20 bytes are 28 characters. */
static void base64(const uint8_t digest[20], char text[29]) {
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  uint8_t bytes[21] = {0};
  memcpy(bytes, digest, 20);
  for (int i = 0; i < 7; i++) {
    uint32_t three = (uint32_t)bytes[i * 3] << 16 | bytes[i * 3 + 1] << 8 | bytes[i * 3 + 2];
    for (int j = 0; j < 4; j++) text[i * 4 + j] = alphabet[three >> (18 - j * 6) & 63];
  }
  text[27] = '=';
  text[28] = 0;
}

size_t upgrade_answer(const char *request, char *answer, size_t room) {
  static const char name[] = "\r\nSec-WebSocket-Key:";
  const char *key = strcasestr(request, name);
  if (!key || strncmp(request, "GET ", 4) != 0) return 0;
  key += sizeof name - 1;
  key += strspn(key, " ");
  size_t length = strcspn(key, " \r");
  if (length != 24) return 0;
  char joined[64], accept[29];
  uint8_t digest[20];
  int count = snprintf(joined, sizeof joined, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
  sha1(joined, (size_t)count, digest);
  base64(digest, accept);
  return (size_t)snprintf(
      answer, room,
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: %s\r\n\r\n", accept);
}
