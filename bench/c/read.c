/* Reading 128 bytes at each of many offsets, a system call apiece. */
#include <stdint.h>
#include <unistd.h>

enum { RECORD = 128 };

/* The n-th read lands at `out + n * stride`; with a stride of 0 all land in one place. */
int read_each(int fd, const double *offsets, double count, uint8_t *out, double stride) {
  size_t n = (size_t)count, apart = (size_t)stride;
  for (size_t i = 0; i < n; i++)
    if (pread(fd, out + i * apart, RECORD, (off_t)offsets[i]) != RECORD) return -1;
  return 0;
}
