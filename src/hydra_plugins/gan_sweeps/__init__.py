"""Sweepers and launchers for Hydra, which finds plugins only in the namespace package ``hydra_plugins``.

Hydra imports these modules at every start: they import nothing heavy, and work without the packages of the extras.
"""
