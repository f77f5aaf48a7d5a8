#include "floor.h"

#include <FLAC/stream_encoder.h>
#include <fcntl.h>
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void give_up(const char *what, const char *path) {
  fprintf(stderr, "cannot %s %s\n", what, path);
  exit(1);
}

void files_open(struct files *files, const struct formats *formats, const char *directory, const char *name) {
  char path[1024];
  *files = (struct files){.raw = -1};
  if (formats->raw) {
    snprintf(path, sizeof path, "%s/%s.raw", directory, name);
    files->raw = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (files->raw < 0) give_up("create", path);
  }
  if (formats->wav) {
    snprintf(path, sizeof path, "%s/%s.wav", directory, name);
    SF_INFO info = {.samplerate = 16000, .channels = 1, .format = SF_FORMAT_WAV | SF_FORMAT_PCM_16};
    files->wav = sf_open(path, SFM_WRITE, &info);
    if (!files->wav) give_up("create", path);
  }
  if (formats->flac) {
    snprintf(path, sizeof path, "%s/%s.flac", directory, name);
    FLAC__StreamEncoder *encoder = FLAC__stream_encoder_new();
    FLAC__stream_encoder_set_channels(encoder, 1);
    FLAC__stream_encoder_set_bits_per_sample(encoder, 16);
    FLAC__stream_encoder_set_sample_rate(encoder, 16000);
    /* What Callreel encodes with, so that servers are compared and not compression levels. */
    FLAC__stream_encoder_set_compression_level(encoder, 5);
    FLAC__stream_encoder_set_blocksize(encoder, 1152);
    if (FLAC__stream_encoder_init_file(encoder, path, NULL, NULL) != FLAC__STREAM_ENCODER_INIT_STATUS_OK)
      give_up("create", path);
    files->flac = encoder;
  }
}

void files_write(struct files *files, const int16_t *samples, size_t count) {
  static FLAC__int32 wide[READ_BYTES / 2];
  if (files->raw >= 0) {
    const char *bytes = (const char *)samples;
    for (size_t left = count * 2; left > 0;) {
      ssize_t written = write(files->raw, bytes, left);
      if (written <= 0) give_up("write", "raw");
      bytes += written;
      left -= (size_t)written;
    }
  }
  if (files->wav && sf_write_short(files->wav, samples, (sf_count_t)count) != (sf_count_t)count)
    give_up("write", "wav");
  if (files->flac) {
    for (size_t index = 0; index < count; index++) wide[index] = samples[index];
    if (!FLAC__stream_encoder_process_interleaved(files->flac, wide, (uint32_t)count)) give_up("write", "flac");
  }
}

void files_close(struct files *files) {
  if (files->raw >= 0) close(files->raw);
  if (files->wav) sf_close(files->wav);
  if (files->flac) {
    if (!FLAC__stream_encoder_finish(files->flac)) give_up("finish", "flac");
    FLAC__stream_encoder_delete(files->flac);
  }
  *files = (struct files){.raw = -1};
}
