#!/bin/sh
# SPDX-License-Identifier: MIT
#
# with-parent.sh PARENT PROGRAM [ARGUMENT...]: runs the program for as long as its parent lives, the
# process of that number. One that has ended before the kernel was asked to tell is noticed, too.

# shellcheck disable=SC2016  # what the inner shell expands
exec setpriv --pdeathsig KILL -- sh -c '[ "$PPID" = "$1" ] && shift && exec "$@"' "${0##*/}" "$@"
