"""The ground floor: errors, column names, environment, progress. It imports nothing heavy."""
