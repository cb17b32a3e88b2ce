"""First-party forecasters of fields: students, and models that teachers train."""
