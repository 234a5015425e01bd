"""Adversarial losses, penalties and auxiliary terms: functions of logits and tensors.

May import: core.
"""
