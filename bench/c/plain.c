/*
 * The plain offmap: two sorted arrays of 64-bit integers, 16 bytes an extent, mapped from a file.
 *
 * Virtual starts, and physical starts with one more behind them: live bytes lie back to back, so an
 * extent ends where the next begins. The search is guarded interpolation search, in the form that was
 * fastest of two dozen tried: interpolate, leap from there in growing steps (a quarter of the square
 * root of the interval at first, which is what evenly spread keys are off by) until the key lies
 * between two probes, and repeat between those; where that shrank the interval too little, bisect
 * once, so that no distribution costs more than a small multiple of a binary search. Without the
 * leaps one end of the interval hardly moves, and the search is three to ten times slower.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct {
  size_t count;
  size_t bytes;
  const uint64_t *virtuals;
  const uint64_t *physicals;
} plain_offmap;

static int write_all(int fd, const uint8_t *bytes, size_t length) {
  while (length > 0) {
    ssize_t done = write(fd, bytes, length);
    if (done <= 0) return -1;
    bytes += done;
    length -= (size_t)done;
  }
  return 0;
}

enum { STAGED = 65536 };

/* Writes the arrays of `count` ascending extents to a new file. */
int plain_write(const char *path, const double *virtuals, const uint32_t *lengths, double count) {
  static uint64_t staged[STAGED];
  size_t n = (size_t)count, fill = 0;
  uint64_t physical = 0;
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600), failed = fd < 0;
  for (size_t i = 0; i < n && !failed; i++) {
    staged[fill++] = (uint64_t)virtuals[i];
    if (fill == STAGED) failed = write_all(fd, (uint8_t *)staged, sizeof staged), fill = 0;
  }
  for (size_t i = 0; i <= n && !failed; i++) {
    staged[fill++] = physical;
    if (i < n) physical += lengths[i];
    if (fill == STAGED) failed = write_all(fd, (uint8_t *)staged, sizeof staged), fill = 0;
  }
  if (!failed) failed = write_all(fd, (uint8_t *)staged, fill * 8);
  if (fd >= 0) close(fd);
  return failed ? -1 : 0;
}

plain_offmap *plain_open(const char *path, double count) {
  size_t n = (size_t)count;
  int fd = open(path, O_RDONLY);
  if (fd < 0) return NULL;
  size_t bytes = (2 * n + 1) * 8;
  const uint64_t *base = mmap(NULL, bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
  close(fd);
  if (base == MAP_FAILED) return NULL;
  plain_offmap *map = malloc(sizeof *map);
  *map = (plain_offmap){n, bytes, base, base + n};
  return map;
}

void plain_close(plain_offmap *map) {
  munmap((void *)map->virtuals, map->bytes);
  free(map);
}

enum {
  /* Below this many entries, walk. */
  WALK = 8,
  /* A round that leaves more than this part of the interval is followed by a bisection. */
  LEAST_SHRINK = 4
};

/* The physical offset of the byte at `key`, or -1 where no extent covers it. */
static inline int64_t translate(const plain_offmap *map, uint64_t key) {
  const uint64_t *v = map->virtuals, *p = map->physicals;
  size_t low = 0, high = map->count - 1;
  if (key < v[0]) return -1;
  if (key >= v[high]) {
    low = high;
  } else {
    /* Always v[low] <= key < v[high]. */
    uint64_t low_key = v[low], high_key = v[high], found;
    while (high - low > WALK) {
      size_t width = high - low;
      size_t middle = low + (size_t)((double)(key - low_key) / (double)(high_key - low_key) * (double)width);
      size_t step = (size_t)(0.25 * __builtin_sqrt((double)width)) + 1;
      if (middle <= low) middle = low + 1;
      if (middle >= high) middle = high - 1;
      found = v[middle];
      if (found <= key) {
        for (;;) {
          low = middle, low_key = found;
          if (step >= high - low) break;
          found = v[middle = low + step];
          if (found > key) {
            high = middle, high_key = found;
            break;
          }
          step *= 2;
        }
      } else {
        for (;;) {
          high = middle, high_key = found;
          if (step >= high - low) break;
          found = v[middle = high - step];
          if (found <= key) {
            low = middle, low_key = found;
            break;
          }
          step *= 2;
        }
      }
      if (high - low > width / LEAST_SHRINK && high - low > WALK) {
        middle = low + (high - low) / 2;
        found = v[middle];
        if (found <= key) low = middle, low_key = found;
        else high = middle, high_key = found;
      }
    }
    while (v[low + 1] <= key) low++;
  }
  uint64_t within = key - v[low];
  return within < p[low + 1] - p[low] ? (int64_t)(p[low] + within) : -1;
}

void plain_translate(const plain_offmap *map, const double *keys, double count, double *out) {
  size_t n = (size_t)count;
  for (size_t i = 0; i < n; i++) out[i] = (double)translate(map, (uint64_t)keys[i]);
}
