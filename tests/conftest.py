"""For all tests: property tests take no account of how busy the machine is, and draw the same cases in CI; Ctrl-C is heard, also by
a suite that a script has started in the background."""

from __future__ import annotations

import os
import signal

from hypothesis import HealthCheck, settings

settings.register_profile(
    "moa", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=bool(os.environ.get("CI"))
)
settings.load_profile("moa")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # else every process that a test starts would be as deaf
    signal.signal(signal.SIGINT, signal.default_int_handler)
