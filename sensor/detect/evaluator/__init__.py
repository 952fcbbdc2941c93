"""The one evaluator: a rule's conditions and tests, and what can be looked at first."""
