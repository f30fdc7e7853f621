"""Whoever can answer: one wire a file. This room owns how a Request becomes bytes and bytes become a Reply or a ProviderError."""
