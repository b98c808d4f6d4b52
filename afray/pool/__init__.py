"""Rows of a pool: their index, their bytes or vectors, their labels."""
