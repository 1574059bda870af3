"""The aws provider: the real SDK's names over a moto server, with containers as instances."""
