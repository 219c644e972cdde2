/* SPDX-License-Identifier: MIT */
/* Contracts of kernel/lib/bitmap.h for Frama-C; README.md tells what is proven, and what not. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*@ predicate has_bit(uint64_t w, integer i) = ((w >> i) & 1) == 1; */

/* Trusted: what gcc and clang say of it. */
/*@ requires x != 0;
  @ assigns \nothing;
  @ ensures 0 <= \result < 64 && has_bit((uint64_t)x, \result);
  @ ensures \forall integer i; 0 <= i < \result ==> !has_bit((uint64_t)x, i); */
int __builtin_ctzll(unsigned long long x);

/*@ requires n < 64;
  @ assigns \nothing;
  @ ensures \result == (1 << n); */
static inline uint64_t bit_of(unsigned n);

/*@ requires x != 0;
  @ assigns \nothing;
  @ ensures \result < 64 && has_bit(x, \result);
  @ ensures \forall integer i; 0 <= i < \result ==> !has_bit(x, i); */
static inline unsigned bit_lowest(uint64_t x);

/*@ requires \valid_read(words + n / 64);
  @ assigns \nothing;
  @ ensures \result <==> has_bit(words[n / 64], n % 64); */
static inline bool bitmap_test(const uint64_t *words, size_t n);

/*@ requires \valid(words + n / 64);
  @ assigns words[n / 64];
  @ ensures words[n / 64] == (\old(words[n / 64]) | (1 << (n % 64))); */
static inline void bitmap_set(uint64_t *words, size_t n);

/*@ requires \valid(words + n / 64);
  @ assigns words[n / 64];
  @ ensures words[n / 64] == (\old(words[n / 64]) & (uint64_t)~(1 << (n % 64))); */
static inline void bitmap_clear(uint64_t *words, size_t n);

/*@ requires \valid(words + n / 64);
  @ assigns words[n / 64]; */
static inline void bitmap_write(uint64_t *words, size_t n, bool value);

#include "kernel/lib/bitmap.h"
