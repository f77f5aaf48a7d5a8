#include "loadgen.h"

#include <stdio.h>

/* 32 linear steps in each power of two, from 1 microsecond on. */
static int bucket(uint64_t microseconds) {
  if (microseconds < 32) return (int)microseconds;
  int power = 63 - __builtin_clzll(microseconds);
  return (power - 4) * 32 + (int)(microseconds >> (power - 5) & 31);
}

static double upper_edge(int bucket) {
  if (bucket < 32) return bucket + 1;
  int power = bucket / 32 + 4;
  return (double)((uint64_t)(32 + bucket % 32 + 1) << (power - 5));
}

void histogram_add(struct histogram *histogram, uint64_t nanoseconds) {
  int place = bucket(nanoseconds / 1000);
  if (place > 1279) place = 1279;
  histogram->buckets[place]++;
  histogram->count++;
  if (nanoseconds > histogram->largest) histogram->largest = nanoseconds;
}

double histogram_quantile(const struct histogram *histogram, double share) {
  uint64_t wanted = (uint64_t)(share * (double)histogram->count + 0.999999), seen = 0;
  double largest = (double)histogram->largest / 1e6;
  for (int place = 0; place < 1280; place++) {
    seen += histogram->buckets[place];
    if (seen < wanted || seen == 0) continue;
    double edge = upper_edge(place) / 1000;
    return edge < largest ? edge : largest;
  }
  return largest;
}

void histogram_print(const struct histogram *histogram) {
  printf("{\"count\":%llu,\"p50\":%.3f,\"p90\":%.3f,\"p99\":%.3f,\"p999\":%.3f,\"max\":%.3f}",
         (unsigned long long)histogram->count, histogram_quantile(histogram, 0.5), histogram_quantile(histogram, 0.9),
         histogram_quantile(histogram, 0.99), histogram_quantile(histogram, 0.999), (double)histogram->largest / 1e6);
}
