"""Adversarial losses and penalties: functions of logits and tensors.

May import: core.
"""
