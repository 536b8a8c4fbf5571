"""Curated TFDV schemas: `ratings` for the `examples` artifact, `movies` for `catalogue`."""

from pathlib import Path


def path(name: str) -> Path:
    """The schema's text proto, as ImportSchemaGen's `schema_file`.

    Args:
        name: `ratings` or `movies`.

    Raises:
        FileNotFoundError: there is no such schema.
    """
    file = Path(__file__).with_name(f"{name}.pbtxt")
    if not file.is_file():
        raise FileNotFoundError(f"no schema named {name!r} beside {__file__}")
    return file
