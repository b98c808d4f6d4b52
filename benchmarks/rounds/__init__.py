"""What rounds are worth on three sets of real data: `make nightly-rounds`."""
