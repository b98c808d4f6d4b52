"""Every bar of the selection core that one machine can measure, each in one place: `make bench`."""
