"""Which rules fire: candidate selection, the evaluator of rules, flow variables, thresholds and budgets."""
