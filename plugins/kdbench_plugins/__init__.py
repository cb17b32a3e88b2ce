"""The plugins that ship with kdbench, registered through the same entry points as third-party plugins."""
