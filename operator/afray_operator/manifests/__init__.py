"""The objects that a SelectionJob gets in Kubernetes, as JSON: pure functions of the job, its stage and its attempt."""
