"""Suites: from a YAML file to checked RunSpecs."""
