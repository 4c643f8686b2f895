"""What `mitmdump -s "$(recorder addon record)"` loads. The addon itself is `recorder.proxy.addon`."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[3]))  # for a mitmdump that is installed elsewhere

from recorder.proxy.addon import RecordAddon
from recorder.proxy.ca_hint import TrustHints  # found through the line above

addons = [RecordAddon(), TrustHints()]
