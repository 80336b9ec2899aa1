"""The forum: submissions, comments, votes, messages, subscriptions."""
