"""Losses per trained token. Pure functions of tensors; means and denominators are the caller's."""
