/* Places calls as a carrier does, and says how it went: see README.md beside the harness.
 *
 * Each line of its output is a JSON object: "begun" when all calls send audio, "progress" now and then, "ending" when
 * the first call has sent its last frame, and "done" with everything that was counted.
 */
#include "loadgen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

static struct load load;

void announce(const char *event) {
  printf("{\"event\":\"%s\",\"at\":%llu,\"frames\":%llu}\n", event, (unsigned long long)now(),
         (unsigned long long)load.frames_sent);
  fflush(stdout);
}

static void read_options(int argc, char **argv) {
  load.options = (struct options){
      .path = "/cable", .calls = 1, .frames = 50, .speed = 1, .ramp = 1, .linger = 60,
      .drop_call = -1, .drop_frame = -1};
  struct options *options = &load.options;
  for (int index = 1; index < argc; index++) {
    const char *name = argv[index];
    if (strcmp(name, "--flood") == 0) {
      options->flood = true;
      continue;
    }
    const char *value = ++index < argc ? argv[index] : "";
    if (strcmp(name, "--port") == 0) options->port = atoi(value);
    else if (strcmp(name, "--path") == 0) options->path = value;
    else if (strcmp(name, "--audio") == 0) options->audio = value;
    else if (strcmp(name, "--calls") == 0) options->calls = atol(value);
    else if (strcmp(name, "--frames") == 0) options->frames = atol(value);
    else if (strcmp(name, "--speed") == 0) options->speed = atof(value);
    else if (strcmp(name, "--ramp") == 0) options->ramp = atof(value);
    else if (strcmp(name, "--pingers") == 0) options->pingers = atol(value);
    else if (strcmp(name, "--linger") == 0) options->linger = atof(value);
    else if (strcmp(name, "--drop-call") == 0) options->drop_call = atol(value);
    else if (strcmp(name, "--drop-frame") == 0) options->drop_frame = atol(value);
    else {
      fprintf(stderr, "unknown option %s\n", name);
      exit(2);
    }
  }
  if (options->port == 0 || !options->audio || options->calls < 1 || options->frames < 1 || options->speed <= 0) {
    fprintf(stderr, "--port, --audio, --calls, --frames are needed\n");
    exit(2);
  }
}

/* A descriptor for each call, as far as the system lets us. */
static void raise_descriptor_limit(void) {
  struct rlimit limit;
  rlim_t wanted = (rlim_t)load.options.calls + 64;
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= wanted) return;
  struct rlimit higher = {.rlim_cur = wanted, .rlim_max = limit.rlim_max > wanted ? limit.rlim_max : wanted};
  if (setrlimit(RLIMIT_NOFILE, &higher) != 0) {
    fprintf(stderr, "%ld calls need a higher limit on open files: %s\n", load.options.calls, strerror(errno));
    exit(1);
  }
}

static double seconds(struct timeval time) { return (double)time.tv_sec + (double)time.tv_usec / 1e6; }

static void report(uint64_t started) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  printf("{\"event\":\"done\",\"at\":%llu,\"calls\":%ld,\"failed\":%ld,\"frames\":%llu,\"writes\":%llu,"
         "\"seconds\":%.3f,\"cpu\":%.3f,",
         (unsigned long long)now(), load.options.calls, load.failed, (unsigned long long)load.frames_sent,
         (unsigned long long)load.writes, (double)(now() - started) / 1e9,
         seconds(usage.ru_utime) + seconds(usage.ru_stime));
  printf("\"lateness\":");
  histogram_print(&load.lateness);
  printf(",\"pings\":");
  histogram_print(&load.round_trips);
  printf(",\"closeCodes\":{");
  const char *comma = "";
  for (int code = 0; code < 5000; code++) {
    if (load.close_codes[code] == 0) continue;
    printf("%s\"%d\":%llu", comma, code, (unsigned long long)load.close_codes[code]);
    comma = ",";
  }
  printf("},\"notHungUp\":%llu,\"failures\":{", (unsigned long long)load.no_end);
  for (int place = 0; place < load.failure_count; place++)
    printf("%s\"%s\":%ld", place ? "," : "", load.failures[place].text, load.failures[place].count);
  printf("},\"begins\":[");
  for (long index = 0; index < load.options.calls; index++)
    printf("%s%llu", index ? "," : "", (unsigned long long)load.calls[index].begin);
  printf("]}\n");
}

/* The first moment at or after a time that is in the call's slot of the clock. Calls are spread over the slots by their
 * number. */
static uint64_t slot_time(uint64_t time, long number, long slots) {
  uint64_t tick = time / 1000000 + 1;
  uint64_t behind = ((uint64_t)number + (uint64_t)slots - tick % (uint64_t)slots) % (uint64_t)slots;
  return (tick + behind) * 1000000;
}

/* Sends what is due at a tick of the clock: a call is looked at in its own slot only, and all calls when frames come
 * faster. */
static void serve_tick(uint64_t tick, long slots) {
  for (long index = (long)(tick % (uint64_t)slots); index < load.options.calls; index += slots) {
    struct call *call = &load.calls[index];
    if (call->phase == PHASE_TALKING && now() >= call->begin) call_send(&load, call);
  }
}

int main(int argc, char **argv) {
  read_options(argc, argv);
  struct options *options = &load.options;
  raise_descriptor_limit();
  load.ring = ring_load(options->audio);
  load.period = (uint64_t)((double)FRAME_NANOSECONDS / options->speed);
  if (load.period == 0) load.period = 1;
  /* Milliseconds between two frames of a call. */
  long slots = (long)(load.period / 1000000);
  if (slots < 1 || options->flood) slots = 1;
  load.calls = calloc((size_t)options->calls, sizeof *load.calls);
  load.epoll = epoll_create1(EPOLL_CLOEXEC);
  int clock = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  struct itimerspec every = {.it_value.tv_nsec = 1, .it_interval.tv_nsec = 1000000};
  uint64_t started = now();
  /* Ticks are whole milliseconds of the clock, so that a slot's calls are due when it fires. */
  every.it_value.tv_sec = (time_t)(started / 1000000000);
  every.it_value.tv_nsec = (long)(started % 1000000000 / 1000000 * 1000000);
  timerfd_settime(clock, TFD_TIMER_ABSTIME, &every, NULL);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(load.epoll, EPOLL_CTL_ADD, clock, &event);
  for (long index = 0; index < options->calls; index++)
    load.calls[index] = (struct call){.socket = -1, .number = index, .start = ring_start(&load.ring, index)};

  uint64_t last_tick = started / 1000000, next_second = started;
  long connected = 0;
  bool begun = false;
  struct epoll_event events[512];
  while (load.over < options->calls) {
    int count = epoll_wait(load.epoll, events, 512, -1);
    bool ticked = false;
    for (int index = 0; index < count; index++) {
      struct call *call = events[index].data.ptr;
      if (!call) {
        uint64_t expirations;
        ticked = read(clock, &expirations, sizeof expirations) > 0;
        continue;
      }
      if (call->phase == PHASE_OVER) continue;
      call_event(&load, call, events[index].events);
      if (call->phase == PHASE_READY && !options->flood)
        call_talk(&load, call, slot_time(now() + 1000000, call->number, slots));
    }
    if (!ticked) continue;
    uint64_t time = now(), tick = time / 1000000;
    while (connected < options->calls &&
           (double)(time - started) / 1e9 >= options->ramp * (double)connected / (double)options->calls)
      call_connect(&load, &load.calls[connected++]);
    if (options->flood && load.talking == 0 && connected == options->calls &&
        load.upgraded + load.failed == options->calls) {
      for (long index = 0; index < options->calls; index++)
        if (load.calls[index].phase == PHASE_READY) call_talk(&load, &load.calls[index], time);
      announce("begun"), begun = true;
      for (long index = 0; index < options->calls; index++)
        if (load.calls[index].phase == PHASE_TALKING) call_send(&load, &load.calls[index]);
    }
    if (!begun && load.talking + load.failed >= options->calls) announce("begun"), begun = true;
    if (!options->flood) {
      /* Each slot once, also those that were slept through; a whole round is all there is. */
      if (tick - last_tick > (uint64_t)slots) last_tick = tick - (uint64_t)slots;
      while (last_tick < tick) serve_tick(++last_tick, slots);
    }
    if (time >= next_second) {
      next_second += 1000000000;
      if (begun) announce("progress");
      for (long index = 0; index < options->calls; index++) call_check_deadline(&load, &load.calls[index]);
    }
  }
  report(started);
  return 0;
}
