"""A suite file, from YAML to checked RunSpecs."""
