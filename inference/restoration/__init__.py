"""Networks that restore: faces made anew from their traces, colours where there were none."""
