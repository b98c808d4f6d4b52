"""SelectionJobs on a cluster as their owner sees them: submitted, followed, stopped, explained.

Needs the official client (`afray[cluster]`) in the modules that connect; what parses and judges is pure.
"""
