"""AISTRALE Lab: a laboratory bench for language models that lives in a notebook."""
