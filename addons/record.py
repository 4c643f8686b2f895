"""What `mitmdump -s addons/record.py` loads, in a checkout."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout works without being installed

from recorder.proxy.scripts.record import addons  # noqa: F401 - mitmdump reads it
