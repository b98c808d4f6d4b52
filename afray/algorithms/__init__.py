"""Selection itself: pure functions on arrays, whose ids depend on the vectors, the spec and nothing else."""
