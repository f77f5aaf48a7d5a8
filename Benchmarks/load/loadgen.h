/* A carrier's side of many calls at once, in one thread: what the files of the load generator share. */
#ifndef CALLREEL_LOADGEN_H
#define CALLREEL_LOADGEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 20 ms of mono audio at 16 kHz, 16 bits a sample. */
#define FRAME_BYTES 640
/* The header of a masked frame of that size: two bytes, two of length, four of key (RFC 6455, section 5.2). */
#define HEADER_BYTES 8
#define UNIT_BYTES (HEADER_BYTES + FRAME_BYTES)
#define FRAME_NANOSECONDS 20000000ull

/* A distribution of durations, with steps of about 3 %. */
struct histogram {
  uint64_t count, largest;
  uint64_t buckets[1280];
};
void histogram_add(struct histogram *histogram, uint64_t nanoseconds);
/* The duration, in milliseconds, that the given share of all is not above. */
double histogram_quantile(const struct histogram *histogram, double share);
/* Prints the usual quantiles as a JSON object. */
void histogram_print(const struct histogram *histogram);

/* Frames as they go over the wire, masked beforehand and side by side: sending is copying, and several frames are one
 * write. */
struct ring {
  uint8_t *units;
  long count;
};
/* Reads samples from a file; ends the program when there are none. */
struct ring ring_load(const char *path);
/* The ring's frame that a call begins with: each call has one of its own, as long as there are no more calls than
 * frames. */
long ring_start(const struct ring *ring, long call);

struct options {
  int port;
  const char *path;
  const char *audio;
  long calls;
  /* Frames of each call. */
  long frames;
  /* As fast as TCP takes them, instead of one frame every 20 ms. */
  bool flood;
  /* How many times faster than real a paced call is. */
  double speed;
  /* Seconds over which the calls begin. */
  double ramp;
  /* Calls that ping once a second. */
  long pingers;
  /* Seconds that the server has to answer the close frame and to hang up. */
  double linger;
  /* The call and the frame that is left out without a word, to see it found; -1 is none. */
  long drop_call, drop_frame;
};

enum phase {
  PHASE_WAITING,    /* not connected yet */
  PHASE_CONNECTING, /* connect() is on its way */
  PHASE_UPGRADING,  /* the request is sent, or being sent */
  PHASE_READY,      /* upgraded; a flood begins when all are */
  PHASE_TALKING,    /* sends audio */
  PHASE_CLOSING,    /* has sent its close frame, and waits for the server's */
  PHASE_LEAVING,    /* has the server's close frame, and waits for the end of the connection */
  PHASE_OVER
};

struct call {
  int socket;
  enum phase phase;
  long number;
  long start;        /* the ring's frame that it begins with */
  long sent;         /* frames that the system has taken whole */
  size_t partial;    /* bytes that it has taken of the next one */
  uint64_t begin;    /* when its first frame is due; nanoseconds of the monotonic clock */
  uint64_t next_ping;
  uint64_t deadline; /* when it is given up, once it is closing */
  bool waits_for_room;
  uint16_t control_length, control_done;
  uint16_t input_length;
  uint64_t skip;     /* bytes of the server's payload that nobody wants */
  uint8_t control[512], input[512];
};

/* What all calls share. */
struct load {
  struct options options;
  struct ring ring;
  struct call *calls;
  int epoll;
  uint64_t period; /* nanoseconds between two frames of a call */
  long upgraded, talking, finished, over, failed;
  uint64_t frames_sent, writes, close_codes[5000];
  uint64_t no_end; /* calls whose server answered the close frame and did not hang up */
  struct histogram lateness, round_trips;
  struct { char text[120]; long count; } failures[32];
  int failure_count;
};

uint64_t now(void);
/* Begins to connect. */
void call_connect(struct load *load, struct call *call);
/* Sends the first message; audio follows from `begin` on. */
void call_talk(struct load *load, struct call *call, uint64_t begin);
/* Sends every frame that is due, and whatever waits to be sent, as far as the socket takes it. */
void call_send(struct load *load, struct call *call);
/* Takes what the socket has for us, and what it reports. */
void call_event(struct load *load, struct call *call, uint32_t events);
/* Gives a call up, and counts why. */
void call_fail(struct load *load, struct call *call, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Looks at the clock for a call that is closing. */
void call_check_deadline(struct load *load, struct call *call);

/* Tells the harness, on a line of JSON, how far all calls are. */
void announce(const char *event);

#endif
