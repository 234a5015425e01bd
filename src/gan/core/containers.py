"""Nested containers."""


def flatten(config: object, prefix: str = "") -> dict[str, object]:
    """Flattens nested dicts to dotted keys: {"a": {"b": 1}} becomes {"a.b": 1}."""
    if not isinstance(config, dict):
        return {prefix: config}
    return {k: v for key, value in config.items() for k, v in flatten(value, f"{prefix}.{key}".lstrip(".")).items()}
