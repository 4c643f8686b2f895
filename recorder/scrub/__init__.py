"""Secrets are kept out by type: what the store writes is a `CleanInteraction`, and only this package makes one."""

from __future__ import annotations

from dataclasses import dataclass

from recorder.model import Interaction


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanInteraction:
    interaction: Interaction
