/* Appending records the plain way: memcpy into a buffer of 1 MiB, write when it is full. */
#include <stdint.h>
#include <string.h>
#include <unistd.h>

enum { BUFFER = 1 << 20, RECORD = 128, VARIETY = 64 };

static uint8_t buffer[BUFFER];

static int write_all(int fd, const uint8_t *bytes, size_t length) {
  while (length > 0) {
    ssize_t done = write(fd, bytes, length);
    if (done <= 0) return -1;
    bytes += done;
    length -= (size_t)done;
  }
  return 0;
}

/* Appends `count` records of 128 bytes, taken in turn from the 64 at `records`. */
int append_records(int fd, const uint8_t *records, double count) {
  size_t fill = 0, n = (size_t)count;
  for (size_t i = 0; i < n; i++) {
    if (fill + RECORD > BUFFER) {
      if (write_all(fd, buffer, fill)) return -1;
      fill = 0;
    }
    memcpy(buffer + fill, records + (i % VARIETY) * RECORD, RECORD);
    fill += RECORD;
  }
  return write_all(fd, buffer, fill);
}
