"""What `mitmdump -s addons/record.py` loads. The addon itself is `recorder.proxy.record`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout works without being installed

from recorder.proxy.hints import TrustHints  # found through the line above
from recorder.proxy.record import RecordAddon

addons = [RecordAddon(), TrustHints()]
