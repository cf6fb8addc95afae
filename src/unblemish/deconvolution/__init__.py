"""Deconvolution (Golf Optimizer): one bold step, then learned prior gradients; blind, and with a known kernel."""
