"""afray: exact bi-level selection of the samples worth labelling. Imports nothing, so every entry point starts fast."""

__version__ = "0.2.0"
