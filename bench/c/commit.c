/*
 * Appends with commits, done with bare files: the records, fsync; a control record that counts them,
 * into the slot whose turn it is, fsync.
 */
#include <stdint.h>
#include <string.h>
#include <unistd.h>

enum { RECORD = 128, VARIETY = 64, SLOT = 1 << 16, MOST = 1000 };

typedef struct {
  uint64_t sequence, bytes;
  uint8_t rest[RECORD - 16];
} control_record;

static uint8_t buffer[MOST * RECORD];

/*
 * Commits `commits` times `each` records of 128 bytes, taken in turn from the 64 at `records`. The
 * file of `control` has both its slots already.
 */
int commit_records(int data, int control, const uint8_t *records, double commits, double each) {
  size_t rounds = (size_t)commits, n = (size_t)each, taken = 0;
  control_record record = {0};
  if (n > MOST) return -1;
  for (size_t i = 0; i < rounds; i++) {
    for (size_t k = 0; k < n; k++, taken++)
      memcpy(buffer + k * RECORD, records + (taken % VARIETY) * RECORD, RECORD);
    ssize_t length = (ssize_t)(n * RECORD);
    if (pwrite(data, buffer, (size_t)length, (off_t)record.bytes) != length) return -1;
    /* The records, before the control record that says they are there. */
    if (fsync(data)) return -1;
    record.sequence++;
    record.bytes += (uint64_t)length;
    if (pwrite(control, &record, RECORD, (off_t)(record.sequence % 2) * SLOT) != RECORD) return -1;
    /* The control record, before the caller is told. */
    if (fsync(control)) return -1;
  }
  return 0;
}
