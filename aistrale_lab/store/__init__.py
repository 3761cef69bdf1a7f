"""Remembers: experiments, runs, results and scores, durably, behind one writer."""
