"""Feeds the cores with events and carries out what they ask for."""
