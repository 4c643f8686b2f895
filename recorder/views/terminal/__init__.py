"""Turns as lines for a terminal."""
