/*
 * Writing an offmap in lacuna's own format (src/format/FORMAT.md), in one pass: cells are encoded
 * into a buffer that stays in the cache, checksummed by the page, written 512 KiB at a time at
 * multiples of that, and the segments grow beside them; then come the sums, the index, the header,
 * and fsync.
 *
 * `offmap_stream` reuses its buffer, and is left with nothing but the file. `offmap_build` is left with
 * the map in memory too, as lacuna's builder is: it encodes into the image, and writes each piece of
 * it while the piece is in the cache.
 *
 * Only dense cells of extents: the data sets consist of them. What it writes for evenly spread
 * extents is, to the byte, what lacuna writes, and the bench compares the two.
 */
#define _GNU_SOURCE
#include "offmap.h"
#include "crc32.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { HEADER = 128, CELL = 64, PAGE = 4096, BUFFER = 1 << 19 };

typedef struct {
  double base, place;
  /* Ends run backwards: end i is ends[7 - i], and ends[8], the head's low half, is zero. */
  uint16_t ends[8];
  int32_t head, starts[7];
} cell;

typedef struct {
  double key;
  float slope;
  uint32_t first;
} segment;

typedef struct {
  int fd;
  off_t at;
  size_t fill, room, page_fill;
  int keeps;
  uint32_t page_sum;
  uint8_t *buffer;
  uint32_t *sums;
  size_t sum_count;
  segment *segments;
  size_t segment_count, segment_room;
  double epsilon, key, low, high;
  size_t first, cells;
} writer;

static int write_at(int fd, const void *bytes, size_t length, off_t at) {
  const uint8_t *from = bytes;
  while (length > 0) {
    ssize_t done = pwrite(fd, from, length, at);
    if (done <= 0) return -1;
    from += done;
    at += done;
    length -= (size_t)done;
  }
  return 0;
}

static void end_page(writer *w) {
  w->sums[w->sum_count++] = w->page_sum;
  w->page_sum = 0;
  w->page_fill = 0;
}

static int drain(writer *w) {
  for (size_t p = 0; p < w->fill;) {
    size_t length = PAGE - w->page_fill;
    if (length > w->fill - p) length = w->fill - p;
    w->page_sum = bench_crc32(w->buffer + p, length, w->page_sum);
    w->page_fill += length;
    p += length;
    if (w->page_fill == PAGE) end_page(w);
  }
  int failed = write_at(w->fd, w->buffer, w->fill, w->at);
  w->at += (off_t)w->fill;
  if (w->keeps) w->buffer += w->fill;
  w->fill = 0;
  w->room = BUFFER;
  return failed;
}

static void end_segment(writer *w) {
  if (w->segment_count + 2 > w->segment_room) {
    w->segment_room *= 2;
    w->segments = realloc(w->segments, w->segment_room * sizeof(segment));
  }
  w->segments[w->segment_count++] =
      (segment){w->key, (float)(w->high == INFINITY ? 0 : (w->low + w->high) / 2), (uint32_t)w->first};
}

/* The same shrinking cone as src/format/offmapIndex.ts. */
static inline void index_cell(writer *w, double base) {
  if (w->cells > 0) {
    double distance = base - w->key, rise = (double)(w->cells - w->first);
    double steepest = (rise + w->epsilon) / distance, flattest = (rise - w->epsilon) / distance;
    if (!(steepest < w->low || flattest > w->high)) {
      if (steepest < w->high) w->high = steepest;
      if (flattest > w->low) w->low = flattest;
      return;
    }
    end_segment(w);
  }
  w->first = w->cells;
  w->key = base;
  w->low = 0;
  w->high = INFINITY;
}

/* Encodes one cell from `count` extents or fewer, and gives how many went in. */
static inline size_t encode(cell *c, const double *v, const double *p, const uint32_t *l, size_t count) {
  double base = v[0], place = p[0];
  uint32_t end = 0;
  size_t i = 0;
  if (count > 8) count = 8;
  c->base = base;
  c->place = place;
  c->head = 0;
  for (; i < count; i++) {
    if (p[i] - place != (double)end) break;
    if (end + l[i] > 0xffff || v[i] - base + l[i] > 0x7ffffffe) break;
    end += l[i];
    c->ends[7 - i] = (uint16_t)end;
    if (i > 0) c->starts[i - 1] = (int32_t)(v[i] - base);
  }
  for (size_t k = i; k < 8; k++) {
    c->ends[7 - k] = 0;
    if (k > 0) c->starts[k - 1] = 0x7fffffff;
  }
  return i;
}

static int write_index(writer *w, size_t bindings, double first, double last) {
  double range = last - first, width = 1;
  uint32_t shift = 0;
  double most = 2.0 * (double)w->segment_count;
  while (range / width >= (most > 1 ? most : 1)) width *= 2, shift++;
  size_t buckets = (size_t)(range / width) + 1;
  size_t sum_bytes = (w->sum_count * 4 + 7) & ~(size_t)7, segment_bytes = (w->segment_count + 1) * sizeof(segment);
  size_t radix_bytes = ((buckets + 1) * 4 + 7) & ~(size_t)7, bytes = sum_bytes + segment_bytes + radix_bytes;
  uint8_t *tail = calloc(1, bytes);
  memcpy(tail, w->sums, w->sum_count * 4);
  w->segments[w->segment_count] = (segment){INFINITY, 0, (uint32_t)w->cells};
  memcpy(tail + sum_bytes, w->segments, segment_bytes);
  uint32_t *radix = (uint32_t *)(tail + sum_bytes + segment_bytes);
  size_t s = 0;
  for (size_t b = 0; b <= buckets; b++) {
    double start = first + (double)b * width;
    while (w->segments[s + 1].key <= start) s++;
    radix[b] = (uint32_t)s;
  }
  uint64_t words[HEADER / 8] = {0};
  uint32_t *halves = (uint32_t *)words;
  memcpy(words, "lacunaOM", 8);
  halves[2] = 1;
  halves[3] = HEADER;
  words[2] = (uint64_t)w->at + bytes;
  words[3] = bindings;
  words[4] = w->cells;
  words[5] = w->segment_count;
  words[6] = buckets;
  words[7] = (uint64_t)first;
  words[8] = (uint64_t)last;
  halves[18] = shift;
  halves[19] = bench_crc32(tail, bytes, 0);
  halves[31] = bench_crc32((uint8_t *)words, HEADER - 4, 0);
  int failed = write_at(w->fd, tail, bytes, w->at) || write_at(w->fd, words, HEADER, 0);
  free(tail);
  return failed ? -1 : 0;
}

/* With an image, the cells go there and stay; without one, through a buffer. */
static int write_map(int fd, const double *virtuals, const double *physicals, const uint32_t *lengths, size_t n,
                     double epsilon, uint8_t *image) {
  size_t done = 0;
  if (n == 0) return -1;
  writer w = {.fd = fd, .at = HEADER, .room = BUFFER - HEADER, .segment_room = 1024, .epsilon = epsilon};
  uint8_t *buffer = image ? NULL : aligned_alloc(PAGE, BUFFER);
  w.keeps = image != NULL;
  w.buffer = image ? image : buffer;
  w.sums = malloc((n / 64 + 2) * 4);
  w.segments = malloc(w.segment_room * sizeof(segment));
  int failed = 0;
  double end = 0;
  while (done < n && !failed) {
    if (w.fill == w.room) failed = drain(&w);
    cell *c = (cell *)(w.buffer + w.fill);
    size_t taken = encode(c, virtuals + done, physicals + done, lengths + done, n - done);
    for (size_t i = done; i < done + taken; i++) {
      if (!(virtuals[i] >= end && physicals[i] >= 0)) failed = -1;
      end = virtuals[i] + lengths[i];
    }
    if (taken == 0 || end > 9007199254740991.0) failed = -1;
    index_cell(&w, c->base);
    w.cells++;
    w.fill += CELL;
    done += taken;
  }
  if (!failed) {
    if (w.fill == w.room) failed = drain(&w);
    cell *sentinel = (cell *)(w.buffer + w.fill);
    memset(sentinel, 0, CELL);
    sentinel->base = INFINITY;
    w.fill += CELL;
    if (!failed) failed = drain(&w);
    if (w.page_fill > 0) end_page(&w);
    end_segment(&w);
    if (!failed) failed = write_index(&w, n, virtuals[0], end - 1);
  }
  free(buffer);
  free(w.sums);
  free(w.segments);
  return failed ? -1 : 0;
}

int offmap_write(int fd, const double *virtuals, const double *physicals, const uint32_t *lengths, double count,
                 double epsilon) {
  return write_map(fd, virtuals, physicals, lengths, (size_t)count, epsilon, NULL);
}

int offmap_stream(int fd, const double *virtuals, const double *physicals, const uint32_t *lengths, double count,
                  double epsilon) {
  if (offmap_write(fd, virtuals, physicals, lengths, count, epsilon)) return -1;
  /* The map, before anybody is told that it is there. */
  return fsync(fd);
}

/* Room for a cell for every binding: what is not used is not backed by memory. */
static size_t image_bytes(double count) { return ((size_t)count + 2) * CELL; }

void offmap_drop(void *image, double count) { munmap(image, image_bytes(count)); }

/* Gives the image, or NULL. */
void *offmap_build(int fd, const double *virtuals, const double *physicals, const uint32_t *lengths, double count,
                   double epsilon) {
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  void *image = mmap(NULL, image_bytes(count), PROT_READ | PROT_WRITE, flags, -1, 0);
  if (image == MAP_FAILED) return NULL;
  /* The map, before anybody is told that it is there. */
  if (!write_map(fd, virtuals, physicals, lengths, (size_t)count, epsilon, image) && !fsync(fd)) return image;
  offmap_drop(image, count);
  return NULL;
}
