"""Keeps secrets off the disk: what is learned, how keys look, and the one way to a `CleanInteraction`."""

from recorder.scrub.known_values import (
    Credential,
    environment_credentials,
    is_credential_name,
    recorded_credentials,
    request_credentials,
)
from recorder.scrub.placeholder import neutral
from recorder.scrub.rules import Rule
from recorder.scrub.scrubber import CleanInteraction, Finding, Scrubber

__all__ = [
    "CleanInteraction",
    "Credential",
    "Finding",
    "Rule",
    "Scrubber",
    "environment_credentials",
    "is_credential_name",
    "neutral",
    "recorded_credentials",
    "request_credentials",
]
