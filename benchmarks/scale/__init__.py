"""A pool of ImageNet's size through the real pipeline: `make nightly-scale`."""
