/*
 * Makes system calls of a process fail: loaded before the C library, whose functions it stands in front of.
 *
 * Only calls on files below LACUNA_CALLS_UNDER are looked at. They are counted, by kind and over all threads, in the
 * file LACUNA_CALLS, which is mapped and shared: whoever writes to it arms the next failure, while the process runs.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

enum { NONE, PWRITE, FSYNC, FTRUNCATE, RENAME, UNLINK, OPEN, FALLOCATE, KINDS };

/* As callControl.ts has it. */
static struct {
  uint32_t kind;    /* which is armed */
  uint32_t call;    /* counted from 1 */
  uint32_t error;   /* an errno; 0: half of the bytes are transferred, without an error */
  uint32_t onward;  /* 1: every later call fails too */
  uint32_t counts[KINDS];
} *control;
static const char *below;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("LACUNA_CALLS");
  below = getenv("LACUNA_CALLS_UNDER");
  int fd = path && below ? open(path, O_RDWR) : -1;
  if (fd < 0) return;
  void *mapped = mmap(0, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (mapped != MAP_FAILED) control = mapped;
}

static int is_below(const char *path) { return control && path && !strncmp(path, below, strlen(below)); }

static int is_file_below(int fd) {
  char link[32] = "/proc/self/fd/", path[512], digits[12];
  int at = 14, n = 0, saved = errno;
  if (!control || fd < 0) return 0;
  do digits[n++] = '0' + fd % 10; while (fd /= 10);
  while (n) link[at++] = digits[--n];
  link[at] = 0;
  ssize_t length = readlink(link, path, sizeof path - 1);
  errno = saved;
  if (length < 0) return 0;
  path[length] = 0;
  return is_below(path);
}

/* Whether this call is one that fails. */
static int fails(int kind) {
  uint32_t n = __sync_add_and_fetch(&control->counts[kind], 1);
  return control->kind == (uint32_t)kind && (n == control->call || (control->onward && n > control->call));
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAIL_IF(concerned, kind) \
  if ((concerned) && fails(kind)) { errno = (int)control->error; return -1; }

#define PWRITE_AS(name, offset_t)                                          \
  ssize_t name(int fd, const void *bytes, size_t length, offset_t at) {    \
    if (is_file_below(fd) && fails(PWRITE)) {                              \
      if (control->error == 0) return NEXT(name)(fd, bytes, (length + 1) / 2, at); \
      errno = (int)control->error;                                         \
      return -1;                                                           \
    }                                                                      \
    return NEXT(name)(fd, bytes, length, at);                              \
  }
PWRITE_AS(pwrite, off_t)
PWRITE_AS(pwrite64, off64_t)

int fsync(int fd) { FAIL_IF(is_file_below(fd), FSYNC) return NEXT(fsync)(fd); }
int fdatasync(int fd) { FAIL_IF(is_file_below(fd), FSYNC) return NEXT(fdatasync)(fd); }
int ftruncate(int fd, off_t size) { FAIL_IF(is_file_below(fd), FTRUNCATE) return NEXT(ftruncate)(fd, size); }
int ftruncate64(int fd, off64_t size) { FAIL_IF(is_file_below(fd), FTRUNCATE) return NEXT(ftruncate64)(fd, size); }
int rename(const char *from, const char *to) { FAIL_IF(is_below(from), RENAME) return NEXT(rename)(from, to); }
int unlink(const char *path) { FAIL_IF(is_below(path), UNLINK) return NEXT(unlink)(path); }
int fallocate(int fd, int mode, off_t at, off_t length) {
  FAIL_IF(is_file_below(fd), FALLOCATE)
  return NEXT(fallocate)(fd, mode, at, length);
}
int fallocate64(int fd, int mode, off64_t at, off64_t length) {
  FAIL_IF(is_file_below(fd), FALLOCATE)
  return NEXT(fallocate64)(fd, mode, at, length);
}

#define OPEN_AS(name)                                \
  int name(const char *path, int flags, ...) {       \
    va_list rest;                                    \
    va_start(rest, flags);                           \
    mode_t mode = (flags & (O_CREAT | __O_TMPFILE)) ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                    \
    FAIL_IF(is_below(path), OPEN)                    \
    return NEXT(name)(path, flags, mode);            \
  }
OPEN_AS(open)
OPEN_AS(open64)
