"""The pages about problems, to which `type` of each problem leads.

words       what each code means, and what to do
operations  the operations that can answer with a code
pages       the pages
"""
