"""Events: what users do between two trainings, kept durably and known from the next request on."""
