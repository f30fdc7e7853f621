"""Wiring: what a file may say (spec), where it comes from (load), and the objects it stands for (build).

The only room that knows all the others. found.py looks for keys and local servers, prices.py for what models cost,
registry.py turns a host's name into a provider. presets.toml and models.toml are data.
"""
