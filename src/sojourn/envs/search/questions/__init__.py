"""Verifiable questions of two to six hops, made from the facts of an atlas."""
