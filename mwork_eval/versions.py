"""The version of this package, and of the software that scores and trained values depend on."""

__version__ = "0.1.0"


def software_versions() -> dict[str, str]:
    """Return the versions by name."""
    from importlib.metadata import version  # most of the time that `import mwork_eval` takes

    names = ("lm_eval", "torch", "transformers")
    return {"mwork_eval": __version__} | {name: version(name) for name in names}
