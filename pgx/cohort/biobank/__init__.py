"""Inputs with very many samples, read as arrays."""
