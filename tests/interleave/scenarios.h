/* SPDX-License-Identifier: MIT */
#ifndef PFNLAB_SCENARIOS_H
#define PFNLAB_SCENARIOS_H

#include "tests/interleave/schedule.h"

/* All that must pass under every schedule. */
extern const struct scenario scenarios[];
extern const size_t scenarios_count;

/* One that does not: of a lock that is taken too late. */
extern const struct scenario planted_race;

#endif
