"""HTTP bytes ⇄ values, sans-IO. Knows neither Go nor mitmproxy nor YAML."""
