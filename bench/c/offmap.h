/*
 * Writes the offmap of `count` ascending extents to a new, empty file. A segment of its index is off by
 * at most `epsilon` cells. 0, or -1 when it can't.
 */
#ifndef BENCH_OFFMAP_H
#define BENCH_OFFMAP_H
#include <stddef.h>
#include <stdint.h>

int offmap_write(int fd, const double *virtuals, const double *physicals, const uint32_t *lengths, double count,
                 double epsilon);

#endif
