"""Answer the test instructions, compare with simple baselines, write the report."""
