/* CRC-32 of zlib (reflected polynomial 0xEDB88320), continued from seed, which is 0 to begin with. */
#ifndef BENCH_CRC32_H
#define BENCH_CRC32_H
#include <stddef.h>
#include <stdint.h>

uint32_t bench_crc32(const uint8_t *bytes, size_t length, uint32_t seed);

#endif
