"""Environments: the protocol, the catalog, the contract suite, and one package per scenario."""
