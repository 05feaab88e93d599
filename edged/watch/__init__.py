"""``edged watch``: the subscriber's side, in the terminal.

payloads    what the daemon publishes, read with tolerance: nothing that comes is an error here
sequence    what is missing and what came twice, by the numbers of results
known       what is known of a device and a pipeline, and what a message changes in it
board       all that is known, fed with what arrives
words       numbers, times and findings as a person reads them
outputs     plain lines and JSON lines
feed        the connection to the broker, in a thread: it subscribes and sends nothing else
session     from the feed to the board and an output, until there is an end

With the extra `watch` (rich):

view        the board as lines of a given width and height; table, its middle; textline, one line
terminal    the screen: painted by changed lines, and given back as it was
live        the view as an output
"""
