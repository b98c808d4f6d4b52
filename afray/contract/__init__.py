"""What the operator and the driver agree on: names, the driver's environment, the progress payload. Pure."""
