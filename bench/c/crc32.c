/*
 * CRC-32, fast enough that no comparison is won by a slow checksum on this side: carry-less
 * multiplication where the processor has it (Gopal et al., "Fast CRC Computation for Generic
 * Polynomials Using PCLMULQDQ", Intel 2009; the constants are those of its appendix), slicing by
 * eight elsewhere. The bench compares the result with node:zlib's before it measures anything.
 */
#include "crc32.h"
#include <string.h>

static uint32_t table[8][256];

__attribute__((constructor)) static void fill_table(void) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t c = i;
    for (int k = 0; k < 8; k++) c = (c >> 1) ^ (0xEDB88320u & -(c & 1));
    table[0][i] = c;
  }
  for (int t = 1; t < 8; t++)
    for (uint32_t i = 0; i < 256; i++) table[t][i] = (table[t - 1][i] >> 8) ^ table[0][table[t - 1][i] & 255];
}

/* Takes and gives the inner state, which is the complement of the checksum. */
static uint32_t slicing_by_eight(const uint8_t *p, size_t n, uint32_t c) {
  while (n >= 8) {
    uint64_t w;
    memcpy(&w, p, 8);
    w ^= c;
    c = table[7][w & 255] ^ table[6][(w >> 8) & 255] ^ table[5][(w >> 16) & 255] ^ table[4][(w >> 24) & 255] ^
        table[3][(w >> 32) & 255] ^ table[2][(w >> 40) & 255] ^ table[1][(w >> 48) & 255] ^ table[0][w >> 56];
    p += 8;
    n -= 8;
  }
  while (n-- > 0) c = (c >> 8) ^ table[0][(c ^ *p++) & 255];
  return c;
}

#if defined(__x86_64__)
#include <immintrin.h>

#define FOLD(x, k, next) \
  _mm_xor_si128(_mm_xor_si128(_mm_clmulepi64_si128(x, k, 0x00), _mm_clmulepi64_si128(x, k, 0x11)), next)
#define LOAD(p) _mm_loadu_si128((const __m128i *)(p))

/* At least 64 bytes, and a multiple of 16. */
__attribute__((target("pclmul,sse4.1"))) static uint32_t folding(const uint8_t *p, size_t n, uint32_t c) {
  const __m128i k12 = _mm_set_epi64x(0x01c6e41596, 0x0154442bd4);
  const __m128i k34 = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0);
  const __m128i k5 = _mm_set_epi64x(0, 0x0163cd6124);
  const __m128i barrett = _mm_set_epi64x(0x01f7011641, 0x01db710641);
  const __m128i low_words = _mm_setr_epi32(~0, 0, ~0, 0);
  __m128i a = _mm_xor_si128(LOAD(p), _mm_cvtsi32_si128((int)c));
  __m128i b = LOAD(p + 16), d = LOAD(p + 32), e = LOAD(p + 48), t;
  p += 64;
  n -= 64;
  while (n >= 64) {
    a = FOLD(a, k12, LOAD(p));
    b = FOLD(b, k12, LOAD(p + 16));
    d = FOLD(d, k12, LOAD(p + 32));
    e = FOLD(e, k12, LOAD(p + 48));
    p += 64;
    n -= 64;
  }
  a = FOLD(a, k34, b);
  a = FOLD(a, k34, d);
  a = FOLD(a, k34, e);
  while (n >= 16) {
    a = FOLD(a, k34, LOAD(p));
    p += 16;
    n -= 16;
  }
  /* 128 bits to 64, to 32. */
  a = _mm_xor_si128(_mm_srli_si128(a, 8), _mm_clmulepi64_si128(a, k34, 0x10));
  t = _mm_srli_si128(a, 4);
  a = _mm_xor_si128(_mm_clmulepi64_si128(_mm_and_si128(a, low_words), k5, 0x00), t);
  t = _mm_and_si128(_mm_clmulepi64_si128(_mm_and_si128(a, low_words), barrett, 0x10), low_words);
  a = _mm_xor_si128(a, _mm_clmulepi64_si128(t, barrett, 0x00));
  return (uint32_t)_mm_extract_epi32(a, 1);
}

static int can_fold(void) { return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1"); }
#else
static uint32_t folding(const uint8_t *p, size_t n, uint32_t c) { return slicing_by_eight(p, n, c); }
static int can_fold(void) { return 0; }
#endif

uint32_t bench_crc32(const uint8_t *bytes, size_t length, uint32_t seed) {
  uint32_t c = ~seed;
  if (length >= 64 && can_fold()) {
    size_t folded = length & ~(size_t)15;
    c = folding(bytes, folded, c);
    bytes += folded;
    length -= folded;
  }
  return ~slicing_by_eight(bytes, length, c);
}
