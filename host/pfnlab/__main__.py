# SPDX-License-Identifier: MIT
"""python3 -m pfnlab"""
import sys

from pfnlab.cli import main

sys.exit(main())
