"""A recording proxy for LLM traffic that writes go-vcr cassettes."""

__version__ = "0.1.0"
