"""Makes the generated parts of the documentation: `make readme` writes them, tests/docs checks that they are current."""
