"""Trainings with one or two known causes each: are the causes that an audit names the true ones?"""
