"""The command line: thin commands over the driver; data on stdout, progress and errors on stderr."""
