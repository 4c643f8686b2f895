"""Workers as child processes: `recorder.proxy.worker` in this very package, deaf to the signals that stop a recorder.

Ctrl-C at a keyboard and `systemctl stop` reach them as well; it is for the recorder to tell them. They are in its
process group and end with it.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence

from recorder.cli.child_environment import finding_this_package

_NOT_FOR_WORKERS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2}


def start_worker(descriptors: Sequence[int]) -> subprocess.Popen[bytes]:
    # Blocked, not ignored: what comes for us meanwhile waits, and the child is born with all of them blocked.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _NOT_FOR_WORKERS)
    try:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "recorder.proxy.worker", *map(str, descriptors)],
            env=finding_this_package(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=descriptors,
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
