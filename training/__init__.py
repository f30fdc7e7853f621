"""How the models that ship with moa were made: data, training, export, measuring. Never run by tests."""
