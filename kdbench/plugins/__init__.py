"""Finding, checking, building, describing and scaffolding plugins."""
