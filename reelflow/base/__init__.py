"""The ground floor: errors, column names, environment, notices. It imports nothing heavy."""
