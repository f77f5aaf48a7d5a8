/* floor --port N --out DIR --sinks wav[,raw,flac] [--interval MILLISECONDS]
 *
 * Records calls with as little as it can be done with: one thread, epoll, one buffer for all, no safety. With an
 * interval each call's socket is read on a clock, as Callreel does; without one it is read whenever something has come.
 * Any error ends the program, and so the run. It is no server for anybody: it is what the others are measured by.
 */
#include "floor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* An interval of the clock has so many turns; each call is read in one of them, so that the work is spread over the
 * interval. */
#define TURNS 20

struct call {
  int socket;
  bool upgraded, recording, on_clock, odd;
  uint8_t odd_byte;
  struct reader reader;
  struct files files;
  struct call *next, *previous;
};

static int queue;
static const char *directory;
static struct formats formats;
static long interval;
/* The calls of each turn of the clock. */
static struct call *turns[TURNS];
/* What is read, with room before it for the half sample that the last read ended with. */
static _Alignas(8) uint8_t store[8 + READ_BYTES];

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void send_all(int socket, const void *bytes, size_t length) {
  /* Answers are short: a socket that has no room for one is one whose caller does not read. */
  if (send(socket, bytes, length, MSG_NOSIGNAL) != (ssize_t)length) fprintf(stderr, "an answer was not sent\n");
}

static void put_on_clock(struct call *call) {
  struct call **turn = &turns[call->socket % TURNS];
  epoll_ctl(queue, EPOLL_CTL_DEL, call->socket, NULL);
  call->on_clock = true;
  call->previous = NULL;
  call->next = *turn;
  if (*turn) (*turn)->previous = call;
  *turn = call;
}

static void end_call(struct call *call) {
  if (call->recording) files_close(&call->files);
  if (call->on_clock) {
    if (call->previous) call->previous->next = call->next;
    else turns[call->socket % TURNS] = call->next;
    if (call->next) call->next->previous = call->previous;
  }
  close(call->socket);
  free(call);
}

/* The call's name is what its first message says as "uuid". */
static void begin_recording(struct call *call, struct decoded *decoded) {
  decoded->text[decoded->text_length] = 0;
  char *at = strstr(decoded->text, "\"uuid\":\"");
  if (!at || call->recording) return;
  at += 8;
  at[strcspn(at, "\"/")] = 0;
  files_open(&call->files, &formats, directory, at);
  call->recording = true;
  if (interval > 0) put_on_clock(call);
}

static void record(struct call *call, uint8_t *audio, size_t length) {
  if (call->odd) {
    *--audio = call->odd_byte;
    length++;
  }
  call->odd = length % 2;
  if (call->odd) call->odd_byte = audio[length - 1];
  /* Samples at an odd address are for processors that do not mind. */
  files_write(&call->files, (const int16_t *)(const void *)audio, length / 2);
}

/* Reads until nothing is left; false when the call is over. */
static bool serve(struct call *call) {
  uint8_t *buffer = store + 8;
  while (true) {
    ssize_t length = recv(call->socket, buffer, READ_BYTES - 1, 0);
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (length <= 0) return false;
    if (!call->upgraded) {
      char answer[256];
      buffer[length] = 0;
      if (!memmem(buffer, (size_t)length, "\r\n\r\n", 4)) return false;
      size_t size = upgrade_answer((char *)buffer, answer, sizeof answer);
      if (size == 0) return false;
      send_all(call->socket, answer, size);
      call->upgraded = true;
      continue;
    }
    struct decoded decoded;
    decoded.audio = decoded.text_length = 0;
    decoded.has_text = decoded.has_ping = decoded.has_close = decoded.broken = false;
    reader_decode(&call->reader, buffer, (size_t)length, &decoded);
    if (decoded.has_text) begin_recording(call, &decoded);
    if (decoded.audio > 0 && call->recording) record(call, buffer, decoded.audio);
    if (decoded.broken) return false;
    if (decoded.has_ping || decoded.has_close) {
      uint8_t answer[127] = {decoded.has_close ? 0x88 : 0x8A, call->reader.control_length};
      memcpy(answer + 2, call->reader.control, call->reader.control_length);
      send_all(call->socket, answer, 2u + call->reader.control_length);
    }
    if (decoded.has_close) return false;
    if (length < READ_BYTES - 1) return true;
  }
}

static void serve_turn(int turn) {
  for (struct call *call = turns[turn], *next; call; call = next) {
    next = call->next;
    if (!serve(call)) end_call(call);
  }
}

static int listen_on(int port) {
  int on = 1, server = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(server, (struct sockaddr *)&address, sizeof address) != 0 || listen(server, 4096) != 0) fail("listen");
  return server;
}

static void accept_calls(int server) {
  int socket;
  while ((socket = accept4(server, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    struct call *call = calloc(1, sizeof *call);
    if (!call) fail("calloc");
    call->socket = socket;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = call};
    epoll_ctl(queue, EPOLL_CTL_ADD, socket, &event);
  }
  if (errno != EAGAIN && errno != ECONNABORTED) fail("accept");
}

static long milliseconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

int main(int argc, char **argv) {
  int port = 0;
  for (int index = 1; index + 1 < argc; index += 2) {
    const char *name = argv[index], *value = argv[index + 1];
    if (strcmp(name, "--port") == 0) port = atoi(value);
    if (strcmp(name, "--out") == 0) directory = value;
    if (strcmp(name, "--interval") == 0) interval = atol(value);
    if (strcmp(name, "--sinks") == 0)
      formats = (struct formats){
          .raw = strstr(value, "raw"), .wav = strstr(value, "wav"), .flac = strstr(value, "flac")};
  }
  if (port == 0 || !directory) return fprintf(stderr, "--port and --out are needed\n"), 2;
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  int server = listen_on(port);
  queue = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[256];
  epoll_ctl(queue, EPOLL_CTL_ADD, server, &event);
  long step = interval / TURNS > 0 ? interval / TURNS : 1, next = milliseconds() + step;
  for (int turn = 0;;) {
    long wait = next - milliseconds();
    int count = epoll_wait(queue, events, 256, interval == 0 ? -1 : wait > 0 ? (int)wait : 0);
    for (int index = 0; index < count; index++) {
      struct call *call = events[index].data.ptr;
      if (!call) accept_calls(server);
      else if (!serve(call)) end_call(call);
    }
    while (interval > 0 && milliseconds() >= next) {
      serve_turn(turn);
      turn = (turn + 1) % TURNS;
      next += step;
    }
  }
}
