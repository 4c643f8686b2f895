"""What `mitmdump -s "$(recorder addon replay)"` loads. The addon itself is `recorder.proxy.addon`."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[3]))  # for a mitmdump that is installed elsewhere

from recorder.proxy.addon import RecordAddon  # found through the line above
from recorder.session.settings import Mode

addons = [RecordAddon(mode=Mode.REPLAY)]
