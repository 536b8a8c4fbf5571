"""The ground floor: errors, column names, metrics, environment. It imports nothing heavy."""
