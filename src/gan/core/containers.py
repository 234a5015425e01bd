"""Nested containers."""


def flatten(config: object, prefix: str = "") -> dict[str, object]:
    """{"a": {"b": 1}} to {"a.b": 1}."""
    if not isinstance(config, dict):
        return {prefix: config}
    return {k: v for key, value in config.items() for k, v in flatten(value, f"{prefix}.{key}".lstrip(".")).items()}
