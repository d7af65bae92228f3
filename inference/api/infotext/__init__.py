"""What picture files of the field's programs say about their making, read and written.

`text` is the web UIs' `parameters` layout, which all others are brought into; `readers` finds out
which program wrote a file; `to_job` makes a job of ours of it. Standard library only.
"""
