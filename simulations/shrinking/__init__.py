"""Makes failing runs small: what is left is what the failure needs.

symptom   by what a failure is known again
moves     what can be taken away from a scenario
shrink    the search: take away, run, keep what still fails
failing   does so for the first run of a folder that did not hold
keep      writes the shrunk scenario, its diagram, and how to run it again
"""
