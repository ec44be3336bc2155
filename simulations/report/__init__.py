"""What researchers put into a paper: plots, diagrams of failing runs, one HTML page for a sweep.

write      makes the report of a folder of results
page       the page: answers first, then why, then how it was made
figures    which figures a sweep has
plots      figures of one series; sweeps those of a metric against what was swept
spacetime  who sent what to whom when, around a violation
style      colours, sizes and how a figure becomes an image
"""
