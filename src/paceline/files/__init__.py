"""Files that are whole and that say so: sealed manifests, one way to write, one lock, one recovery.

points.py    numbered steps of a write, at which a test can kill the process
alone.py     a lock on a folder or a file: one process writes there at a time
drafts.py    drafts with names of their own, recognised and removed when their writer is gone
writing.py   a file or a folder replaced at once: the old one or the new one, never half of one
sealing.py   manifests that vouch for every file of an artefact, and for themselves
members.py   the files of a sealed folder, opened so that none can mislead or block
results.py   several files of one result, published as one
"""
