"""What models expose to objectives that read internals, where the plugin of the model does not say so itself."""
