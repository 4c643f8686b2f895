"""The proxy: the only package that imports mitmproxy. Import its modules by name, so that nothing loads it unasked."""
