/* SPDX-License-Identifier: MIT */
#ifndef PFNLAB_SCENARIOS_H
#define PFNLAB_SCENARIOS_H

#include "tests/interleave/schedule.h"

/* All that must pass under every schedule. */
extern const struct scenario scenarios[];
extern const size_t scenarios_count;

/* Those that do not: of a lock that is taken too late, and of one that is given back too early. */
extern const struct scenario planted_races[];
extern const size_t planted_races_count;

#endif
