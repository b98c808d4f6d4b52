"""The driver: the stages of a job in order, resumed from what storage holds. It decides nothing about rows itself."""
