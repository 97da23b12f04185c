/*
 * What a page cache is held against: loads from a mapping, at the addresses it is asked for, and
 * reads of whole pages.
 */
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096 };

void *page_map(const char *path, double bytes) {
  int fd = open(path, O_RDONLY);
  if (fd < 0) return NULL;
  void *base = mmap(NULL, (size_t)bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
  close(fd);
  return base == MAP_FAILED ? NULL : base;
}

void page_unmap(void *base, double bytes) { munmap(base, (size_t)bytes); }

/* The sum of the 32-bit numbers at these addresses, aligned or not. */
double page_sum32(const uint8_t *base, const double *addresses, double count) {
  size_t n = (size_t)count;
  uint64_t sum = 0;
  for (size_t i = 0; i < n; i++) {
    uint32_t value;
    memcpy(&value, base + (int64_t)addresses[i], sizeof value);
    sum += value;
  }
  return (double)sum;
}

double page_sum64(const uint8_t *base, const double *addresses, double count) {
  size_t n = (size_t)count;
  uint64_t sum = 0;
  for (size_t i = 0; i < n; i++) {
    uint64_t value;
    memcpy(&value, base + (int64_t)addresses[i], sizeof value);
    sum += value;
  }
  return (double)sum;
}

/* As `page_sum32`, but each number's page is read first; -1 where that fails. */
double page_read_sum32(int fd, const double *addresses, double count) {
  static uint8_t page[PAGE];
  size_t n = (size_t)count;
  uint64_t sum = 0;
  for (size_t i = 0; i < n; i++) {
    size_t address = (size_t)(int64_t)addresses[i], within = address % PAGE;
    uint32_t value;
    if (pread(fd, page, PAGE, (off_t)(address - within)) != PAGE) return -1;
    memcpy(&value, page + within, sizeof value);
    sum += value;
  }
  return (double)sum;
}
