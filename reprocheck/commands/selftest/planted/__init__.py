"""Trainings with a planted defect, and clean ones."""
