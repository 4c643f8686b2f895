"""Every change that we make to mitmproxy's code. Nothing else in this package changes it."""
