"""The afray operator: watches SelectionJobs and gives each attempt of a stage one RayJob."""
