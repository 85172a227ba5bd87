"""Hostile and odd input: strategies that make it, and the rules by which it may end."""
