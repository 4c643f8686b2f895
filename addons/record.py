"""What `mitmdump -s addons/record.py` loads. The addon itself is `recorder.proxy.addon`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout works without being installed

from recorder.proxy.addon import RecordAddon
from recorder.proxy.ca_hint import TrustHints  # found through the line above

addons = [RecordAddon(), TrustHints()]
