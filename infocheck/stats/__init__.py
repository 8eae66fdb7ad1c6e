"""Estimators: arrays in, numbers out. No pandas, no AnnData, no plots."""
