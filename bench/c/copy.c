/*
 * Copying the live extents of a file: read ahead in large sequential reads that cover the holes
 * where extents are dense, gather into a buffer, checksum every 64 KiB of it, write it when full,
 * and record the map. Ascending extents that touch, or lie at most `max_gap` bytes apart, become
 * one, gap included.
 */
#define _GNU_SOURCE
#include "crc32.h"
#include "offmap.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
  BLOCK = 1 << 16,
  /* Holes longer than this are skipped rather than read. */
  LONGEST_HOLE = 1 << 16,
  /* Both fit the second-level cache together; windows of 4 MiB were a tenth to a half slower. */
  WINDOW = 1 << 20,
  OUTPUT = 1 << 18
};

typedef struct {
  size_t count, blocks;
  double *virtuals, *physicals;
  uint32_t *lengths, *sums;
  uint64_t bytes;
} copied;

static int write_all(int fd, const uint8_t *bytes, size_t length) {
  while (length > 0) {
    ssize_t done = write(fd, bytes, length);
    if (done <= 0) return -1;
    bytes += done;
    length -= (size_t)done;
  }
  return 0;
}

static int read_all(int fd, uint8_t *into, size_t length, uint64_t at) {
  while (length > 0) {
    ssize_t done = pread(fd, into, length, (off_t)at);
    if (done <= 0) return -1;
    into += done;
    at += (uint64_t)done;
    length -= (size_t)done;
  }
  return 0;
}

static int drain(int fd, const uint8_t *bytes, size_t length, copied *result) {
  for (size_t at = 0; at < length; at += BLOCK)
    result->sums[result->blocks++] = bench_crc32(bytes + at, length - at < BLOCK ? length - at : BLOCK, 0);
  return write_all(fd, bytes, length);
}

/* Fuses the extents into the arrays of the result; 0, or -1 when they aren't ascending and apart. */
static int fuse(copied *result, const double *offsets, const uint32_t *lengths, size_t n, uint64_t max_gap) {
  size_t k = 0;
  double end = 0, physical = 0;
  for (size_t i = 0; i < n; i++) {
    double start = offsets[i], stop = start + lengths[i];
    if (start < end) return -1;
    if (i > 0 && start - end <= (double)max_gap) {
      result->lengths[k - 1] += (uint32_t)(stop - end);
    } else {
      if (k > 0) physical += result->lengths[k - 1];
      result->virtuals[k] = start;
      result->physicals[k] = physical;
      result->lengths[k] = lengths[i];
      k++;
    }
    end = stop;
  }
  result->count = k;
  result->bytes = k == 0 ? 0 : (uint64_t)physical + result->lengths[k - 1];
  return 0;
}

copied *copy_live(int source, int target, const double *offsets, const uint32_t *lengths, double count, double max_gap) {
  size_t n = (size_t)count, next = 0, fill = 0;
  copied *result = calloc(1, sizeof *result);
  result->virtuals = malloc(n * 8);
  result->physicals = malloc(n * 8);
  result->lengths = malloc(n * 4);
  int failed = fuse(result, offsets, lengths, n, (uint64_t)max_gap);
  result->sums = malloc((result->bytes / BLOCK + 1) * 4);
  uint8_t *window = aligned_alloc(4096, WINDOW), *output = aligned_alloc(4096, OUTPUT);
  posix_fadvise(source, 0, 0, POSIX_FADV_SEQUENTIAL);
  uint64_t within = 0; /* bytes of extent `next` that are copied already */
  while (!failed && next < result->count) {
    /* One read: from here to the end of the last extent, or part of one, that the window holds. */
    uint64_t start = (uint64_t)result->virtuals[next] + within, limit = start + WINDOW, stop = start;
    for (size_t i = next; i < result->count; i++) {
      uint64_t from = (uint64_t)result->virtuals[i], to = from + result->lengths[i];
      if (from >= limit || (i > next && from - stop > LONGEST_HOLE)) break;
      stop = to < limit ? to : limit;
    }
    failed = read_all(source, window, stop - start, start);
    while (!failed && next < result->count) {
      uint64_t from = (uint64_t)result->virtuals[next] + within, length = result->lengths[next] - within;
      if (from >= stop) break;
      if (length > stop - from) length = stop - from;
      if (length > OUTPUT - fill) length = OUTPUT - fill;
      memcpy(output + fill, window + (from - start), length);
      fill += length;
      within += length;
      if (within == result->lengths[next]) next++, within = 0;
      if (fill == OUTPUT) failed = drain(target, output, fill, result), fill = 0;
    }
  }
  if (!failed) failed = drain(target, output, fill, result);
  free(window);
  free(output);
  if (!failed) return result;
  result->count = 0;
  result->bytes = 0;
  return result;
}

double copy_count(const copied *result) { return (double)result->count; }
double copy_bytes(const copied *result) { return (double)result->bytes; }

/* The fused bindings and the sums, for comparison. */
void copy_report(const copied *result, double *virtuals, double *physicals, uint32_t *lengths, uint32_t *sums) {
  memcpy(virtuals, result->virtuals, result->count * 8);
  memcpy(physicals, result->physicals, result->count * 8);
  memcpy(lengths, result->lengths, result->count * 4);
  memcpy(sums, result->sums, result->blocks * 4);
}

/* Makes the copy durable: the data, then its map with the sums, then both names, as lacuna's close. */
int copy_finish(const copied *result, int target, int map, const char *path, int directory, double epsilon) {
  char names[4][4096];
  snprintf(names[0], sizeof names[0], "%s.tmp", path);
  snprintf(names[1], sizeof names[1], "%s", path);
  snprintf(names[2], sizeof names[2], "%s.map.tmp", path);
  snprintf(names[3], sizeof names[3], "%s.map", path);
  /* The data, before the map that says it is there. */
  if (fsync(target)) return -1;
  if (offmap_write(map, result->virtuals, result->physicals, result->lengths, (double)result->count, epsilon))
    return -1;
  off_t at = lseek(map, 0, SEEK_END);
  if (pwrite(map, result->sums, result->blocks * 4, at) != (ssize_t)(result->blocks * 4)) return -1;
  /* The map, before it gets its name. */
  if (fsync(map)) return -1;
  /* The data's name, before the map's name says that the pair is whole. */
  if (rename(names[0], names[1]) || fsync(directory)) return -1;
  /* The map's name, before anybody is told. */
  if (rename(names[2], names[3]) || fsync(directory)) return -1;
  return 0;
}

void copy_free(copied *result) {
  free(result->virtuals);
  free(result->physicals);
  free(result->lengths);
  free(result->sums);
  free(result);
}
