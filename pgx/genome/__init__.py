"""The genome as far as this program needs it: the assemblies, and the two sites on each of them."""
