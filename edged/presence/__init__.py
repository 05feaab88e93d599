"""From findings to what happens: who is where, since when, and how many.

areas   zones and lines, and which of them an object's point is in or has crossed
stays   what is there, told neither for a frame too many nor too few
stage   a pipeline's stage: events and counts out of each frame's findings
"""
