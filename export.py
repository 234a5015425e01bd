"""Writes the generator of a run for other programs, or as a page to explore it: ``python export.py --help``."""

from gan.app.launch import launch


def load():
    from gan.app.export import run  # imports torch late, so that --help is fast

    return run


if __name__ == "__main__":
    launch(load, config_name="export")
