/*
 * What a copy-on-write file is held against: the same writes into memory that has room for all of
 * the file, and memcpy.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

enum { RECORD = 64 };

void *overlay_make(double bytes) {
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  void *base = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
  return base == MAP_FAILED ? NULL : base;
}

void overlay_drop(void *base, double bytes) { munmap(base, (size_t)bytes); }

/* Writes one of `variety` records at each offset, in turn. */
void overlay_write(uint8_t *base, const double *offsets, double count, const uint8_t *records, double variety) {
  size_t n = (size_t)count, kinds = (size_t)variety;
  for (size_t i = 0; i < n; i++) memcpy(base + (int64_t)offsets[i], records + i % kinds * RECORD, RECORD);
}

/* How many of the writes above are not found again. */
double overlay_check(const uint8_t *base, const double *offsets, double count, const uint8_t *records,
                     double variety) {
  size_t n = (size_t)count, kinds = (size_t)variety, missing = 0;
  for (size_t i = 0; i < n; i++)
    if (memcmp(base + (int64_t)offsets[i], records + i % kinds * RECORD, RECORD)) missing++;
  return (double)missing;
}

/* Copies `bytes` of `from`, a piece at a time, each to the same place. */
void overlay_copy(const uint8_t *from, double bytes, uint8_t *to, double piece) {
  size_t length = (size_t)bytes, each = (size_t)piece;
  for (size_t at = 0; at < length; at += each) memcpy(to, from + at, length - at < each ? length - at : each);
}
