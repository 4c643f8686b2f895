"""What `recorder --help` says of each command: a line each, so that none has to be loaded for it.

The tests hold that there is one for each, and that it is how the command's own help begins.
"""

from __future__ import annotations

from collections.abc import Mapping

SUMMARIES: Mapping[str, str] = {
    "start": "Record a session until Ctrl-C or `recorder stop`.",
    "replay": "Replay a session, without the network.",
    "run": "Record or replay what one command does, with its environment set.",
    "stop": "Stop a running session in order, and wait until it has.",
    "status": "Show the sessions that are being recorded now.",
    "list": "List the sessions that have been recorded.",
    "env": "Print what to set in a client's environment.",
    "ca": "Show the CA that the proxy ends TLS with, or install it.",
    "show": "Show the conversation of session NAME, or of a cassette's file.",
    "stats": "Tell tokens, cost, errors and times of sessions.",
    "report": "Write session NAME, or a cassette's file, as one HTML page.",
    "diff": "Compare two cassettes by what was said in them.",
    "textconv": "Print a cassette as a conversation, for git diff.",
    "refresh": "Send the recorded requests again, and show what has changed.",
    "export": "Write sessions in the format of another program.",
    "import": "Append what another program has recorded to a session.",
    "verify": "Look for secrets in cassettes.",
    "scrub": "Take the secrets out of cassettes, in place.",
    "addon": "Print the path of the script that mitmdump loads.",
    "demo": "Record a conversation with a tool through each door.",
}
