"""``edged bench``: the whole way of a frame against the bare interpreter, by stage.

The contestants run in processes of their own and take turns of about half a second, many of them in
one run, so that each meets the same noise of the machine; in each turn one works and the others
wait. What is compared are medians, and the ratios of turns that lie beside each other.

    served     the real daemon, whose camera gives frames from memory; results at QoS 1 to a broker
    bare       the interpreter's ``invoke``, over and over, on the same model

A contestant reads a number on its standard input, works on so many frames, and answers with what
they took, as one line of JSON (``answers``).
"""
