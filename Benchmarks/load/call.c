#include "loadgen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000ull + (uint64_t)time.tv_nsec;
}

static void leave(struct load *load, struct call *call) {
  if (call->socket >= 0) close(call->socket);
  call->socket = -1;
  call->phase = PHASE_OVER;
  load->over++;
}

void call_fail(struct load *load, struct call *call, const char *format, ...) {
  if (call->phase == PHASE_OVER) return;
  char text[120];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  int place = 0;
  while (place < load->failure_count && strcmp(load->failures[place].text, text) != 0) place++;
  if (place == load->failure_count && place < 32) strcpy(load->failures[load->failure_count++].text, text);
  if (place < 32) load->failures[place].count++;
  load->failed++;
  leave(load, call);
}

static void watch(struct load *load, struct call *call, int operation, bool writable) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | (writable ? EPOLLOUT : 0), .data.ptr = call};
  if (epoll_ctl(load->epoll, operation, call->socket, &event) != 0)
    call_fail(load, call, "epoll_ctl: %s", strerror(errno));
}

void call_connect(struct load *load, struct call *call) {
  call->socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (call->socket < 0) return call_fail(load, call, "socket: %s", strerror(errno));
  int on = 1;
  /* A carrier's frame leaves when it is there, not when the one before it was confirmed. */
  setsockopt(call->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)load->options.port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(call->socket, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS)
    return call_fail(load, call, "connect: %s", strerror(errno));
  call->phase = PHASE_CONNECTING;
  call->waits_for_room = true;
  /* The key is the standard's own example, so that the answer to expect is known (RFC 6455, section 1.3). */
  call->control_length = (uint16_t)snprintf(
      (char *)call->control, sizeof call->control,
      "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
      load->options.path, load->options.port);
  watch(load, call, EPOLL_CTL_ADD, true);
}

/* Queues a masked frame of at most 65535 bytes, to go out between two frames of audio. One that finds no room is left
 * out. */
static bool queue(struct call *call, uint8_t first, const void *payload, size_t length) {
  static const uint8_t key[4] = {0x37, 0xFA, 0x21, 0x3D};
  size_t header = length < 126 ? 6 : 8;
  if (call->control_done == call->control_length) call->control_done = call->control_length = 0;
  uint8_t *at = call->control + call->control_length;
  if (call->control_length + header + length > sizeof call->control) return false;
  at[0] = first;
  at[1] = 0x80 | (length < 126 ? (uint8_t)length : 126);
  if (length >= 126) at[2] = (uint8_t)(length >> 8), at[3] = (uint8_t)length;
  memcpy(at + header - 4, key, 4);
  for (size_t index = 0; index < length; index++)
    at[header + index] = ((const uint8_t *)payload)[index] ^ key[index % 4];
  call->control_length += (uint16_t)(header + length);
  return true;
}

void call_talk(struct load *load, struct call *call, uint64_t begin) {
  char text[300];
  int length = snprintf(
      text, sizeof text,
      "{\"event\":\"websocket:connected\",\"content-type\":\"audio/l16;rate=16000\",\"uuid\":\"call-%05ld\","
      "\"from\":\"4477009%05ld\",\"to\":\"442079460000\"}",
      call->number, call->number);
  queue(call, 0x81, text, (size_t)length);
  call->phase = PHASE_TALKING;
  call->begin = begin;
  call->next_ping = begin + (uint64_t)call->number * 37000000 % 1000000000;
  load->talking++;
}

/* Frames that ought to have been sent by now. */
static long due(const struct load *load, const struct call *call) {
  if (call->phase != PHASE_TALKING) return call->sent;
  if (load->options.flood) return load->options.frames;
  uint64_t time = now();
  if (time < call->begin) return 0;
  uint64_t count = (time - call->begin) / load->period + 1;
  return count < (uint64_t)load->options.frames ? (long)count : load->options.frames;
}

/* Gives bytes to the system; 0 when it has no room now. */
static size_t give(struct load *load, struct call *call, const void *bytes, size_t length) {
  ssize_t count = send(call->socket, bytes, length, MSG_NOSIGNAL);
  if (count > 0) {
    if ((size_t)count == length) return length;
  } else if (errno != EAGAIN && errno != EINTR) {
    call_fail(load, call, "send: %s", strerror(errno));
    return 0;
  }
  if (!call->waits_for_room) {
    call->waits_for_room = true;
    watch(load, call, EPOLL_CTL_MOD, true);
  }
  return count > 0 ? (size_t)count : 0;
}

static void account(struct load *load, struct call *call, size_t bytes) {
  size_t total = call->partial + bytes;
  uint64_t time = load->options.flood ? 0 : now();
  for (size_t whole = total / UNIT_BYTES; whole > 0; whole--) {
    uint64_t wanted = call->begin + (uint64_t)call->sent * load->period;
    if (time > wanted) histogram_add(&load->lateness, time - wanted);
    call->sent++;
    load->frames_sent++;
  }
  load->writes++;
  call->partial = total % UNIT_BYTES;
}

void call_send(struct load *load, struct call *call) {
  const struct options *options = &load->options;
  long wanted = due(load, call);
  while (call->phase != PHASE_OVER) {
    bool has_control = call->control_done < call->control_length;
    if (has_control && call->partial == 0) {
      size_t length = (size_t)(call->control_length - call->control_done);
      size_t went = give(load, call, call->control + call->control_done, length);
      call->control_done += (uint16_t)went;
      if (went < length) return;
      continue;
    }
    if (call->number == options->drop_call && call->sent == options->drop_frame && call->sent < wanted &&
        call->partial == 0) {
      call->sent++;
      load->frames_sent++;
      continue;
    }
    long count = wanted - call->sent;
    if (count <= 0) break;
    long place = (call->start + call->sent) % load->ring.count;
    if (count > load->ring.count - place) count = load->ring.count - place;
    if (has_control) count = 1;
    if (call->number == options->drop_call && call->sent < options->drop_frame &&
        count > options->drop_frame - call->sent)
      count = options->drop_frame - call->sent;
    /* What one write may hold: more is not faster, and would let one call of a flood go ahead of the others. */
    if (count > 256) count = 256;
    size_t length = (size_t)count * UNIT_BYTES - call->partial;
    size_t went = give(load, call, load->ring.units + place * UNIT_BYTES + call->partial, length);
    if (call->phase == PHASE_OVER) return;
    account(load, call, went);
    if (went < length) return;
    /* The others of a flood have their turn. */
    if (options->flood && call->sent < wanted) {
      if (!call->waits_for_room) watch(load, call, EPOLL_CTL_MOD, call->waits_for_room = true);
      return;
    }
  }
  if (call->phase == PHASE_TALKING && call->sent == options->frames) {
    static const uint8_t normal[2] = {1000 >> 8, 1000 & 0xFF};
    if (load->finished++ == 0) announce("ending");
    queue(call, 0x88, normal, 2);
    call->phase = PHASE_CLOSING;
    call->deadline = now() + (uint64_t)(options->linger * 1e9);
    return call_send(load, call);
  }
  if (call->phase == PHASE_TALKING && call->number < options->pingers) {
    uint64_t time = now();
    if (time >= call->next_ping && queue(call, 0x89, &time, sizeof time)) {
      call->next_ping = time + 1000000000;
      return call_send(load, call);
    }
  }
  if (call->phase != PHASE_OVER && call->waits_for_room) {
    call->waits_for_room = false;
    watch(load, call, EPOLL_CTL_MOD, false);
  }
}

void call_check_deadline(struct load *load, struct call *call) {
  if (call->phase < PHASE_CLOSING || call->phase == PHASE_OVER || now() < call->deadline) return;
  if (call->phase == PHASE_CLOSING) return call_fail(load, call, "the close frame was not answered");
  load->no_end++;
  leave(load, call);
}

/* The server's frames are in receive.c. */
bool call_receive(struct load *load, struct call *call);

void call_event(struct load *load, struct call *call, uint32_t events) {
  if (call->phase == PHASE_CONNECTING && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(call->socket, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return call_fail(load, call, "connect: %s", strerror(error));
    call->phase = PHASE_UPGRADING;
  }
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) {
    if (!call_receive(load, call)) {
      if (call->phase == PHASE_LEAVING) leave(load, call);
      return;
    }
  }
  if (call->phase != PHASE_OVER && ((events & EPOLLOUT) || call->control_done < call->control_length))
    call_send(load, call);
}

void call_queue_pong(struct call *call, const uint8_t *payload, size_t length) { queue(call, 0x8A, payload, length); }
void call_queue_close(struct call *call, uint16_t code) {
  uint8_t bytes[2] = {(uint8_t)(code >> 8), (uint8_t)code};
  queue(call, 0x88, bytes, 2);
}
