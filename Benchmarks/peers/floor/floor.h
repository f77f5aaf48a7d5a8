/* The least that recording calls costs: what the files of the floor share. */
#ifndef FLOOR_H
#define FLOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of one read, and so the most audio that is handed on at once. */
#define READ_BYTES 65536

/* One file of one call in each format that was asked for. */
struct files {
  int raw;
  void *wav;  /* SNDFILE */
  void *flac; /* FLAC__StreamEncoder */
};
struct formats {
  bool raw, wav, flac;
};
/* Makes DIRECTORY/NAME.wav and so on for 16 kHz mono; ends the program when it cannot. */
void files_open(struct files *files, const struct formats *formats, const char *directory, const char *name);
void files_write(struct files *files, const int16_t *samples, size_t count);
void files_close(struct files *files);

/* The frame that is being read, of whatever pieces the socket gives. */
struct reader {
  uint8_t header[14];
  int header_length, header_wanted;
  uint64_t remaining;
  uint8_t key[4], operation, control[125], control_length;
  bool in_payload;
};
/* What a piece of the socket's bytes came to. */
struct decoded {
  size_t audio;     /* bytes of audio, unmasked, at the start of the buffer */
  bool has_text;    /* a text message came; it is in `text` */
  bool has_ping, has_close, broken;
  char text[512];
  size_t text_length;
};
/* Unmasks in place: the audio stands in one piece at the start of the buffer afterwards. */
void reader_decode(struct reader *reader, uint8_t *buffer, size_t length, struct decoded *decoded);

/* Writes the answer to an upgrade request; its length, or 0 when the request is not one. */
size_t upgrade_answer(const char *request, char *answer, size_t room);

#endif
