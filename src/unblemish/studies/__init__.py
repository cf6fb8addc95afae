"""Studies: arms of one recipe, trained at equal budgets and scored alike. Start at `study.Study` and `study.plan`."""
