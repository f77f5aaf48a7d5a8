/* What the server says to a call: the answer to the upgrade, pings and pongs, and goodbye. */
#include "loadgen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

void call_queue_pong(struct call *call, const uint8_t *payload, size_t length);
void call_queue_close(struct call *call, uint16_t code);

/* Reads the answer to the upgrade, and says how many bytes of the input it was; 0 when it is not whole yet. */
static size_t read_upgrade(struct load *load, struct call *call) {
  size_t length = call->input_length;
  uint8_t *end = memmem(call->input, length, "\r\n\r\n", 4);
  if (!end) {
    if (length == sizeof call->input) call_fail(load, call, "the answer to the upgrade is too long");
    return 0;
  }
  size_t size = (size_t)(end - call->input) + 4;
  char text[sizeof call->input + 1];
  memcpy(text, call->input, size);
  text[size] = 0;
  int status = 0;
  if (sscanf(text, "HTTP/1.1 %d", &status) != 1 || status != 101) {
    call_fail(load, call, "the upgrade was answered with status %d", status);
  } else if (!strstr(text, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")) {
    call_fail(load, call, "the upgrade was answered with a wrong Sec-WebSocket-Accept");
  } else {
    call->phase = PHASE_READY;
    load->upgraded++;
  }
  return size;
}

/* Takes one whole control frame. */
static void take_control(struct load *load, struct call *call, int operation, const uint8_t *payload, size_t length) {
  if (operation == 0x9) call_queue_pong(call, payload, length);
  if (operation == 0xA && length == 8) {
    uint64_t then;
    memcpy(&then, payload, 8);
    histogram_add(&load->round_trips, now() - then);
  }
  if (operation != 0x8) return;
  int code = length >= 2 ? payload[0] << 8 | payload[1] : 1005;
  load->close_codes[code < 5000 ? code : 0]++;
  if (call->phase == PHASE_CLOSING) {
    call->phase = PHASE_LEAVING;
    return;
  }
  call_queue_close(call, (uint16_t)(code == 1005 ? 1000 : code));
  call_send(load, call);
  call_fail(load, call, "the server closed the call with code %d", code);
}

/* Takes the frames that are whole, and what there is of data that nobody wants. */
static size_t take_frames(struct load *load, struct call *call, size_t at) {
  while (at < call->input_length && call->phase != PHASE_OVER) {
    size_t left = call->input_length - at;
    if (call->skip > 0) {
      size_t step = call->skip < left ? (size_t)call->skip : left;
      call->skip -= step;
      at += step;
      continue;
    }
    const uint8_t *bytes = call->input + at;
    if (left < 2) break;
    size_t header = 2 + (bytes[1] == 126 ? 2 : bytes[1] == 127 ? 8 : 0);
    if (left < header) break;
    if (bytes[1] & 0x80) {
      call_fail(load, call, "the server masks its frames");
      break;
    }
    if (bytes[0] & 0x08) {
      if (left < header + bytes[1]) break;
      take_control(load, call, bytes[0] & 0x0F, bytes + header, bytes[1]);
      at += header + bytes[1];
    } else {
      uint64_t size = bytes[1] < 126 ? bytes[1] : 0;
      for (size_t index = 2; index < header; index++) size = size << 8 | bytes[index];
      call->skip = size;
      at += header;
    }
  }
  return at;
}

/* Reads what is there; false when the connection has ended. */
bool call_receive(struct load *load, struct call *call) {
  while (call->phase != PHASE_OVER) {
    size_t room = sizeof call->input - call->input_length;
    ssize_t count = recv(call->socket, call->input + call->input_length, room, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return true;
    /* After the closing handshake the way in which the connection ends says nothing more. */
    if (count <= 0 && call->phase == PHASE_LEAVING) return false;
    if (count < 0) {
      call_fail(load, call, "receive: %s", strerror(errno));
      return false;
    }
    if (count == 0) {
      call_fail(load, call, "the server hung up without a close frame");
      return false;
    }
    call->input_length += (uint16_t)count;
    size_t at = 0;
    if (call->phase == PHASE_UPGRADING) at = read_upgrade(load, call);
    if (call->phase >= PHASE_READY && call->phase != PHASE_OVER) at = take_frames(load, call, at);
    if (call->phase == PHASE_OVER) return false;
    memmove(call->input, call->input + at, call->input_length - at);
    call->input_length -= (uint16_t)at;
    if ((size_t)count < room) return true;
  }
  return false;
}
