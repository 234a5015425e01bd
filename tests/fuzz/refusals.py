"""Why two choices may be refused together: the pattern of the line, and the reason. Each was reviewed by a person."""

REFUSALS: dict[str, str] = {}
