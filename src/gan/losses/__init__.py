"""Adversarial losses, penalties and other terms: functions of logits and tensors.

May import: core.
"""
