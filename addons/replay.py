"""What `mitmdump -s addons/replay.py` loads: the recorder's addon, which replays unless it is told otherwise."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout works without being installed

from recorder.proxy.addon import RecordAddon  # found through the line above
from recorder.session.settings import Mode

addons = [RecordAddon(mode=Mode.REPLAY)]
