"""The grammar of a SelectionJob: models, rules, loading. Imports pydantic and yaml, nothing of the data plane."""
